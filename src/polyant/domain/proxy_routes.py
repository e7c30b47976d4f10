"""The way of outbound calls through the operator's proxies, resolved once per origin."""

from collections.abc import Mapping
from functools import lru_cache

import msgspec

from polyant.domain.proxies import ProxyRules
from polyant.domain.urls import origin_of

_AUTHORIZATION = "Proxy-Authorization"


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """The arguments of a request that depend on the proxy; without a repr, because headers contain credentials."""

    proxy: str | None = None
    proxy_headers: Mapping[str, str] | None = None
    """The headers for the proxy, if it opens a tunnel."""
    headers: Mapping[str, str] = {}
    """Additional headers of the request itself, if the proxy reads it."""

    def __repr__(self) -> str:
        """Returns a representation without headers."""
        return f"Route(proxy={self.proxy!r})"


_DIRECT = Route()


class ProxyRoutes:
    """Returns the route of each call.

    aiohttp's `trust_env` would cost half a millisecond per call and read ~/.netrc, and it fails beside an Authorization
    header.
    """

    def __init__(self, rules: ProxyRules) -> None:
        self._rules = rules
        self._to = lru_cache(maxsize=1_024)(self._resolved)

    def route_to(self, url: str) -> Route:
        """Returns the route to a server URL; an invalid URL is called directly, and the call reports it."""
        try:
            return self._to(origin_of(url))
        except ValueError:
            return _DIRECT

    def _resolved(self, origin: str) -> Route:
        proxy = self._rules.proxy_for(origin)
        if proxy is None:
            return _DIRECT
        credentials = {} if proxy.authorization is None else {_AUTHORIZATION: proxy.authorization.reveal()}
        if origin.startswith("https:"):
            return Route(proxy=proxy.url, proxy_headers=credentials)
        return Route(proxy=proxy.url, headers=credentials)
