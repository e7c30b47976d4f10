"""The HTTP session for calls to addresses that may not be outside the public internet."""

import errno
import logging
import socket
from types import TracebackType
from typing import Self

import aiohttp
from aiohttp.abc import AbstractResolver
from aiohttp.connector import AddrInfoType

from polyant.adapters.llm.session import open_session
from polyant.domain.public_addresses import is_public

_log = logging.getLogger("polyant.llm")


class PublicHttp:
    """A session that connects to public IP addresses only; it shares no connection with other sessions.

    It checks each address immediately before the connection to that address. So DNS rebinding and alternative
    spellings of an address can't bypass the check. Create it inside the event loop.

    Args:
        resolver: Resolves host names; None for the system's resolver.
    """

    def __init__(self, *, resolver: AbstractResolver | None = None) -> None:
        self.session = open_session(
            connector=aiohttp.TCPConnector(limit=0, resolver=resolver, socket_factory=_public_socket)
        )

    async def __aenter__(self) -> Self:
        """Returns the open session."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Closes the session and its connections."""
        await self.session.close()


def _public_socket(address: AddrInfoType) -> socket.socket:
    family, kind, protocol, _, address_and_port = address
    if not is_public(str(address_and_port[0])):
        # Callers get the same error as for an unknown host; only the operator may know the reason.
        _log.warning("no connection: an address that users set resolves to %s, which isn't public", address_and_port[0])
        raise PermissionError(errno.EACCES, "not a public address")
    return socket.socket(family, kind, protocol)
