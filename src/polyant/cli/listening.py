"""The socket that the server listens on, and the address at which a client reaches it."""

import errno
import socket
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address

from polyant.settings import Settings, SettingsError

BACKLOG = 2_048
"""The maximum number of connections that wait to be accepted."""

_FIXES: Mapping[int, str] = {
    errno.EADDRINUSE: "Stop the process that uses it, or set another --port (API_PORT) or --host (API_HOST)",
    errno.EACCES: "Set --port (API_PORT) to 1024 or above, or give the process the capability CAP_NET_BIND_SERVICE",
    errno.EADDRNOTAVAIL: "Set --host (API_HOST) to an address of this machine, or to 0.0.0.0 for all of them",
    errno.EMFILE: "Raise the limit of open files (ulimit -n, LimitNOFILE=)",
}
_OTHER_FIX = "Set --host (API_HOST) to an address of this machine or to a name that resolves to one"


class ListenError(SettingsError):
    """The server can't listen on the configured address.

    Args:
        settings: The settings with the address.
        reason: The reason, in words.
        number: The error number of the system.
    """

    def __init__(self, settings: Settings, *, reason: str, number: int | None) -> None:
        self.problem = f"Can't listen on {_joined(settings.host, settings.port)}: {reason}"
        self.number = number
        self.fix = _FIXES.get(number or 0, _OTHER_FIX)
        super().__init__(f"{self.problem}. {self.fix}")


def bind(settings: Settings) -> socket.socket:
    """Returns a socket that is bound to the configured address.

    Raises:
        ListenError: The address can't be used.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound = socket.socket(family, kind, protocol)
    except UnicodeError:
        raise ListenError(settings, reason="the host name is invalid", number=None) from None
    except OSError as error:
        raise ListenError(settings, reason=error.strerror or str(error), number=error.errno) from None
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except OSError as error:
        bound.close()
        raise ListenError(settings, reason=error.strerror or str(error), number=error.errno) from None
    return bound


def listen(settings: Settings) -> socket.socket:
    """Returns a listening socket; opened first, so that a start on a port in use changes no data.

    Raises:
        ListenError: The address can't be used.
    """
    listener = bind(settings)
    try:
        listener.listen(BACKLOG)  # bind alone would let a second server start at the same time
    except OSError as error:
        listener.close()
        raise ListenError(settings, reason=error.strerror or str(error), number=error.errno) from None
    listener.set_inheritable(True)
    return listener


def origin_of_listener(listener: socket.socket, host: str) -> str:
    """Returns an origin, such as `http://localhost:4000`, at which this machine reaches the socket.

    A host name stays if it resolves to the bound address and the server accepts it as Host. Otherwise, the address is
    returned; for all addresses, it is the loopback address.

    Args:
        listener: The bound socket.
        host: The configured host.
    """
    address, port = listener.getsockname()[:2]
    bound = _unmapped(address)
    if bound.is_unspecified:
        bound = ip_address("127.0.0.1" if bound.version == 4 else "::1")  # noqa: PLR2004 - the IP version
        host = "localhost"
    elif bound.is_loopback:
        host = "localhost"  # the only name that the server accepts on a loopback address
    if _resolves_to(host, str(bound)):
        return f"http://{_joined(host, port)}"
    return f"http://{_joined(str(bound).replace('%', '%25'), port)}"


def is_loopback(listener: socket.socket) -> bool:
    """Returns whether only this machine can reach the socket."""
    return _unmapped(listener.getsockname()[0]).is_loopback


def _resolves_to(name: str, address: str) -> bool:
    """Returns whether a name resolves to the address; False for an address."""
    try:
        ip_address(name)
    except ValueError:
        try:
            return address in {found[4][0] for found in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)}
        except OSError:
            return False
    return False


def _unmapped(text: str) -> IPv4Address | IPv6Address:
    address = ip_address(text)
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def _joined(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
