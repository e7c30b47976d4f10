"""Outbound HTTP proxies: which proxy a call to a server uses."""

import base64
import re
from ipaddress import ip_address, ip_network
from urllib.parse import unquote, urlsplit

import msgspec

from polyant.domain.errors import InvalidInputError
from polyant.domain.secrets import SecretText
from polyant.domain.urls import PORTS, is_server_url

PROXY_RULE = "http://HOST:PORT or http://USER:PASSWORD@HOST:PORT"


class Proxy(msgspec.Struct, frozen=True, kw_only=True):
    """An HTTP proxy; its URL contains no credentials."""

    url: str
    authorization: SecretText | None = None
    """The value of Proxy-Authorization."""


class ProxyRules(msgspec.Struct, frozen=True, kw_only=True):
    """The proxies of calls to http and https URLs, and the hosts that are called directly."""

    http: Proxy | None = None
    https: Proxy | None = None
    direct_hosts: tuple[str, ...] = ()
    """Hosts as in NO_PROXY: names with their subdomains, IP addresses, networks such as 10.0.0.0/8, each with or
    without a port; or `*` for all."""

    def proxy_for(self, url: str) -> Proxy | None:
        """Returns the proxy for a server URL, or None to call the server directly."""
        parts = urlsplit(url)
        proxy = self.https if parts.scheme == "https" else self.http
        host, port = (parts.hostname or "").rstrip("."), parts.port or PORTS[parts.scheme]
        if proxy is None or any(_matches(entry, host, port) for entry in self.direct_hosts):
            return None
        return proxy


def parse_proxy(text: str) -> Proxy:
    """Returns the proxy with that URL; without a scheme, it is http.

    Raises:
        InvalidInputError: The URL breaks `PROXY_RULE`; the message doesn't contain it.
    """
    scheme, separator, rest = text.rpartition("://")
    credentials, has_credentials, server = rest.rstrip("/").rpartition("@")
    url = f"http://{server}"
    if (separator and scheme.lower() != "http") or not server or "/" in server or not is_server_url(url):
        raise InvalidInputError(f"A proxy must be {PROXY_RULE}")
    if not has_credentials:
        return Proxy(url=url)
    user, _, password = credentials.partition(":")
    pair = f"{unquote(user)}:{unquote(password)}".encode()
    return Proxy(url=url, authorization=SecretText(f"Basic {base64.b64encode(pair).decode()}"))


def parse_direct_hosts(text: str) -> tuple[str, ...]:
    """Returns the entries of a list of hosts that is separated by commas or spaces, in lower case."""
    return tuple(entry for entry in re.split(r"[\s,]+", text.lower()) if entry)


def _matches(entry: str, host: str, port: int) -> bool:
    if entry == "*":
        return True
    if "/" in entry:
        return _is_in_network(host, entry)
    name, entry_port = _split_port(entry)
    if entry_port is not None and entry_port != port:
        return False
    name = name.removeprefix("*").strip(".")
    return bool(name) and (host == name or host.endswith(f".{name}") or _is_same_address(host, name))


def _split_port(entry: str) -> tuple[str, int | None]:
    found = re.fullmatch(r"\[([0-9a-f:.]+)\](?::(\d{1,5}))?|([^:]+):(\d{1,5})", entry)
    if found is None:
        return entry, None
    port = found[2] or found[4]
    return found[1] or found[3], None if port is None else int(port)


def _is_in_network(host: str, network: str) -> bool:
    try:
        return ip_address(host) in ip_network(network, strict=False)
    except ValueError:
        return False


def _is_same_address(host: str, other: str) -> bool:
    try:
        return ip_address(host) == ip_address(other)
    except ValueError:
        return False
