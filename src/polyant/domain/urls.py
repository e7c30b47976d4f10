"""Validation of the URLs of servers that Polyant may call."""

import re
from functools import lru_cache
from urllib.parse import urlsplit

PORTS = {"http": 80, "https": 443}
"""The default port of each scheme."""

_VISIBLE = re.compile(r"\A[!-\[\]-~]+\Z")  # ASCII, neither space nor backslash
_SERVER = re.compile(r"\A([a-z0-9._-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?\Z", re.IGNORECASE)


def is_server_url(url: str) -> bool:
    """Returns whether the text is an http or https URL in visible ASCII with a host and without a user."""
    try:
        parts = urlsplit(url)
        # The host is matched too, because URL parsers disagree on how to read unusual hosts.
        known = parts.scheme in PORTS and bool(_SERVER.match(parts.netloc)) and parts.port != 0
    except ValueError:
        return False
    return known and bool(_VISIBLE.match(url))


def hostname(url: str) -> str:
    """Returns the host of a server URL in lower case, without its port."""
    return urlsplit(url).hostname or ""


@lru_cache(maxsize=1_024)  # every turn calls it with the same few URLs
def origin_of(url: str) -> str:
    """Returns the scheme, host and port of a server URL, for example `https://api.openai.com:443`."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}:{parts.port or PORTS[parts.scheme]}"
