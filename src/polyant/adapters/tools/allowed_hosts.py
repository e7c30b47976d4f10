"""The hosts that the operator lets the HTTP tool call although they aren't on the public internet."""

import re
from collections.abc import Iterable

from yarl import URL

from polyant.domain.errors import InvalidInputError

_MORE_THAN_A_HOST = re.compile(r"[\s/\\@?#]")


class AllowedHosts:
    """Hosts written as `host`, which stands for the usual port of http and https, or `host:port`; IPv6 in brackets.

    Raises:
        InvalidInputError: One is written in another way.
    """

    def __init__(self, hosts: Iterable[str]) -> None:
        self._places = frozenset(map(_place, hosts))

    def __contains__(self, url: URL) -> bool:
        """Tells whether exactly that host is listed with the URL's port."""
        ports = (url.port, None) if url.is_default_port() else (url.port,)
        return any((url.raw_host, port) in self._places for port in ports)


def _place(entry: str) -> tuple[str, int | None]:
    try:
        url = URL(f"http://{entry}")
    except ValueError:
        url = URL()
    if not url.raw_host or _MORE_THAN_A_HOST.search(entry):
        raise InvalidInputError(f"An allowed host is written as host or host:port, not as '{entry}'")
    return url.raw_host, url.explicit_port
