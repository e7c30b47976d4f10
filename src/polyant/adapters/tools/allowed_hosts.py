"""The hosts outside the public internet that the operator allows the HTTP tool to call."""

import re
from collections.abc import Iterable

from yarl import URL

from polyant.domain.errors import InvalidInputError

_INVALID = re.compile(r"[\s/\\@?#]")


class AllowedHosts:
    """A set of allowed hosts and ports.

    Args:
        hosts: Each as `host`, for the default port of http and https, or as `host:port`; IPv6 addresses in brackets.

    Raises:
        InvalidInputError: An entry has another form.
    """

    def __init__(self, hosts: Iterable[str]) -> None:
        self._entries = frozenset(map(_host_and_port, hosts))

    def __contains__(self, url: URL) -> bool:
        """Returns whether exactly this host is listed with the URL's port."""
        ports = (url.port, None) if url.is_default_port() else (url.port,)
        return any((url.raw_host, port) in self._entries for port in ports)


def _host_and_port(entry: str) -> tuple[str, int | None]:
    try:
        url = URL(f"http://{entry}")
    except ValueError:
        url = URL()
    if not url.raw_host or _INVALID.search(entry):
        raise InvalidInputError(f"Invalid allowed host '{entry}': write it as host or host:port")
    return url.raw_host, url.explicit_port
