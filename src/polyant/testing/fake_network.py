"""A fake network for adapters on aiohttp: it resolves test names, and routes public addresses to the test's servers."""

import asyncio
import socket
from collections import deque
from typing import Any

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from polyant.testing.upstream import Received, Reply, Responder, ScriptedUpstream

_PUBLIC = "93.184.215.14"


class FakeNetwork(AbstractResolver):
    """A resolver that also redirects connections to its addresses to the test's servers.

    Connections to other addresses are not redirected. `dialled` lists every attempted connection.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.dialled: list[tuple[str, int]] = []
        self._answers: dict[str, deque[tuple[str, ...]]] = {}
        self._servers: dict[str, tuple[str, int]] = {}
        loop = asyncio.get_running_loop()
        self._connect = loop.sock_connect
        monkeypatch.setattr(loop, "sock_connect", self._dial)

    def name(self, host: str, *answers: str | tuple[str, ...]) -> None:
        """Sets the addresses of a name: one answer for each lookup; the last answer repeats."""
        self._answers[host] = deque((answer,) if isinstance(answer, str) else answer for answer in answers)

    def place(self, address: str, url: str) -> None:
        """Routes connections to a public address, on any port, to the server at the URL."""
        server = URL(url)
        assert server.host is not None
        assert server.port is not None
        self._servers[address] = (server.host, server.port)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        if host not in self._answers:
            raise OSError(None, "no such name")
        answers = self._answers[host]
        addresses = answers.popleft() if len(answers) > 1 else answers[0]
        return [
            ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=socket.AI_NUMERICHOST)
            for address in addresses
        ]

    async def close(self) -> None:
        """Does nothing; there is nothing to release."""

    async def _dial(self, sock: socket.socket, address: Any) -> None:
        self.dialled.append((address[0], address[1]))
        await self._connect(sock, self._servers.get(address[0], address))


class FakeWeb:
    """A public web server behind a fake network, for `ConnectingImageFetcherContract`.

    Args:
        network: Resolves the names that the fetcher connects to.
        upstream: The running server.
    """

    url = "http://images.example/a.png"
    private_names = ("intranet.example", "metadata.example", "ipv6.example")

    def __init__(self, network: FakeNetwork, upstream: ScriptedUpstream) -> None:
        self._upstream = upstream
        network.name("images.example", _PUBLIC)
        network.place(_PUBLIC, upstream.url)
        for name, address in zip(self.private_names, ("127.0.0.1", "169.254.169.254", "::1"), strict=True):
            network.name(name, address)

    @property
    def requests(self) -> list[Received]:
        """The requests that the server received."""
        return self._upstream.requests

    def answer(self, reply: Reply | Responder) -> None:
        """Makes the server send this reply from now on."""
        self._upstream.otherwise = reply
