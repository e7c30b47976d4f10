"""Finds the client address that rate limits apply to, and the scheme that the client used."""

from functools import lru_cache
from ipaddress import IPv6Address, ip_address

from litestar.types import Scope

_IPV6_SITE = 64
_MAX_ADDRESS_CHARACTERS = 100
_SCHEMES = frozenset({"http", "https"})


def client_key(scope: Scope, *, trusted_hops: int) -> str:
    """Returns the key that identifies a client in rate limits: its IPv4 address or its IPv6 /64 network.

    Args:
        scope: The ASGI scope of the request.
        trusted_hops: The number of trusted proxies. If it isn't 0, the address is that many entries from the right in
            X-Forwarded-For. If that entry is missing or invalid, the peer's own address is used.
    """
    peer = scope["client"]
    own = peer[0] if peer else "local"
    forwarded = _forwarded(scope, trusted_hops) if trusted_hops else None
    return forwarded or _network_of(own) or own


def scheme_of(scope: Scope, *, trusted_hops: int) -> str:
    """Returns the scheme that the client used to reach the outermost server: `http` or `https`.

    Args:
        scope: The ASGI scope of the request.
        trusted_hops: The number of trusted proxies. If it isn't 0, the scheme comes from X-Forwarded-Proto. Most
            proxies replace that header instead of appending to it.
    """
    own = str(scope["scheme"])
    if not trusted_hops:
        return own
    entries = _entries(scope, b"x-forwarded-proto")
    forwarded = entries[-min(trusted_hops, len(entries))].strip().lower()
    return forwarded if forwarded in _SCHEMES else own


def _forwarded(scope: Scope, hops: int) -> str | None:
    entries = _entries(scope, b"x-forwarded-for")
    return _network_of(entries[-hops].strip()) if len(entries) >= hops else None


def _entries(scope: Scope, name: bytes) -> list[str]:
    lines = [value for key, value in scope["headers"] if key == name]
    return b",".join(lines).decode("latin-1").split(",")


def _network_of(text: str) -> str | None:
    # Longer text isn't an address. Clients must not fill the cache with it, if a proxy passes their header on.
    return _parsed_network(text) if len(text) <= _MAX_ADDRESS_CHARACTERS else None


@lru_cache(maxsize=4_096)
def _parsed_network(text: str) -> str | None:
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return f"{IPv6Address(int(address) >> _IPV6_SITE << _IPV6_SITE)}/{_IPV6_SITE}"
    return str(address)
