"""Detects clients that accept no data."""

import asyncio
import socket
import struct
from fcntl import ioctl
from termios import TIOCOUTQ

_TCP_INFO_BYTES = 128
_BYTES_ACKED = struct.Struct("@Q")
_BYTES_ACKED_OFFSET = 120  # struct tcp_info, tcpi_bytes_acked: linux/tcp.h, since Linux 4.1


class UnreadWatch:
    """Watches one connection's outgoing bytes: those that the transport and those that the kernel still holds."""

    __slots__ = ("_last", "_transport", "since")

    def __init__(self, transport: asyncio.Transport, now: float) -> None:
        self._transport = transport
        self._last = (0, 0)
        self.since = now
        """When the client last accepted data, or had accepted all of it; the loop's time."""

    def poll(self, now: float) -> bool:
        """Returns whether the client has data to accept, and updates `since`."""
        sock = self._transport.get_extra_info("socket")
        held = self._transport.get_write_buffer_size() + (0 if sock is None else _unsent(sock.fileno()))
        if not held:
            self.since, self._last = now, (0, 0)
            return False
        taken = 0 if sock is None else _acknowledged(sock.fileno(), sock.family)
        last_taken, last_held = self._last
        if taken > last_taken or held < last_held:
            self.since = now
        self._last = taken, held
        return True


def _unsent(descriptor: int) -> int:
    """Returns the bytes in the kernel's send queue (SIOCOUTQ)."""
    if descriptor < 0:
        return 0
    try:
        return int(struct.unpack("@i", ioctl(descriptor, TIOCOUTQ, b"\0\0\0\0"))[0])
    except OSError:
        return 0


def _acknowledged(descriptor: int, family: int) -> int:
    """Returns how many bytes the peer has acknowledged so far, 0 if the system doesn't report it."""
    if family not in {socket.AF_INET, socket.AF_INET6} or not hasattr(socket, "TCP_INFO") or descriptor < 0:
        return 0
    borrowed = socket.socket(family, socket.SOCK_STREAM, 0, fileno=descriptor)
    try:
        info = borrowed.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)
    except OSError:
        return 0
    finally:
        borrowed.detach()
    if len(info) < _TCP_INFO_BYTES:
        return 0
    return int(_BYTES_ACKED.unpack_from(info, _BYTES_ACKED_OFFSET)[0])
