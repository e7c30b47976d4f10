"""Determines which IP addresses belong to the public internet; all others are internal."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

_GLOBAL_UNICAST = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")
# Not public either, but some versions of Python treat them as global.
_RESERVED = (
    IPv4Network("168.63.129.16/32"),  # Azure's host as its virtual machines see it, metadata included
    IPv4Network("192.0.0.0/24"),  # protocol assignments; Oracle Cloud's metadata
    IPv4Network("192.88.99.0/24"),  # 6to4 relays
    IPv6Network("2001::/23"),  # protocol assignments, among them Teredo, which holds an IPv4 address
    IPv6Network("2002::/16"),  # 6to4, which holds an IPv4 address
    IPv6Network("3fff::/20"),  # documentation
)


def is_public(text: str) -> bool:
    """Returns whether a socket address belongs to the public internet.

    For an IPv6 address that embeds an IPv4 address (mapped, NAT64), the IPv4 address decides. 6to4 and Teredo are
    rejected.
    """
    try:
        address = _unwrap(ip_address(text))
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST:
        return False
    return address.is_global and not address.is_multicast and not any(address in network for network in _RESERVED)


def _unwrap(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address
