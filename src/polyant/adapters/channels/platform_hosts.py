"""The hosts of a chat platform, which alone get its credentials."""

from collections.abc import Iterable
from urllib.parse import urlsplit

from polyant.domain.urls import PORTS, is_server_url

_SECURE = {"https": "https", "wss": "https"}
_WEB_SOCKETS = {"ws": "http", "wss": "https"}


class PlatformHosts:
    """Decides whether a URL belongs to the platform.

    Args:
        domains: The platform's domains; their subdomains belong to it as well. Only TLS on the default port is allowed.
        origins: Further servers by scheme, host and port, such as `http://127.0.0.1:8080`: for tests.
    """

    def __init__(self, *domains: str, origins: Iterable[str] = ()) -> None:
        self._domains = domains
        self._origins = frozenset(origins)

    def include(self, url: str) -> bool:
        """Returns whether the http, https, ws or wss URL belongs to the platform."""
        scheme, colon, rest = url.partition(":")
        # Only URLs that every parser reads in the same way are allowed.
        if not is_server_url(f"{_WEB_SOCKETS.get(scheme, scheme)}{colon}{rest}"):
            return False
        parts = urlsplit(url)
        if f"{_WEB_SOCKETS.get(scheme, scheme)}://{parts.netloc}" in self._origins:
            return True
        host = (parts.hostname or "").rstrip(".")
        return (
            scheme in _SECURE
            and parts.port in {None, PORTS["https"]}
            and any(host == domain or host.endswith(f".{domain}") for domain in self._domains)
        )
