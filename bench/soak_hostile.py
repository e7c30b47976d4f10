"""Hostile clients: they accept no data, send too slowly or too much, abandon logins, and guess credentials."""

import asyncio
import secrets
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple

import msgspec

from bench.soak_checks import check
from bench.soak_harness import EMAIL, REQUEST_SECONDS, STALL_SECONDS, SoakHarness
from bench.soak_scenario import OutcomeCounter, Scenario

_MARGIN_SECONDS = 15.0
"""How much later than its limit the server may act on this busy machine."""

_PIECE_SECONDS = 1.0
_LEAVE_AFTER_SECONDS = 0.05
_RECEIVE_BUFFER = 4_096
_GUESSER = "203.0.113.7"
_LOGIN_GUESSER = "203.0.113.8"
_CHAT = "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
_LOGIN = "POST /api/auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


class HostileClients:
    """Attacks one server, and checks how it defends itself."""

    def __init__(self, harness: SoakHarness, scenario: Scenario, outcomes: OutcomeCounter) -> None:
        """Creates the clients.

        Args:
            harness: The running processes.
            scenario: Holds the key that stalled readers use.
            outcomes: Counts the outcomes apart from those of honest callers.
        """
        self._port = harness.port
        self._scenario = scenario
        self._outcomes = outcomes

    async def attack(self) -> None:
        """Attacks until it is cancelled."""
        async with asyncio.TaskGroup() as group:
            for name, kind in KINDS.items():
                for _ in range(kind.clients):
                    group.create_task(self._repeat(name, kind))

    async def _repeat(self, name: str, kind: "Kind") -> None:
        while True:
            with self._outcomes.entry(f"hostile: {name}"):
                await kind.run(self)
            await asyncio.sleep(kind.pause_seconds)

    async def stalled_reader(self) -> None:
        """Requests megabytes and accepts none of them; the server cuts the connection off."""
        key = self._scenario.keys["soak-flood"]
        body = msgspec.json.encode(
            {"model": "soak-flood", "stream": True, "messages": [{"role": "user", "content": "Hello!"}]}
        )
        async with self._connected() as client:
            await client.send(_with_body(f"{_CHAT}Authorization: Bearer {key}\r\n", body))
            await asyncio.sleep(STALL_SECONDS + _MARGIN_SECONDS)
            received = await client.everything()
        check(received[:12], b"HTTP/1.1 200", "the beginning of the response")
        check(b"data: [DONE]" in received, False, "whether the whole response was kept for a client that read nothing")

    async def silent_connection(self) -> None:
        """Sends nothing; the server closes the connection."""
        async with self._connected() as client:
            check(await client.everything(), b"", "the response to nothing")

    async def slow_header(self) -> None:
        """Sends a header one byte at a time."""
        async with self._connected() as client:
            await client.send(b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
            async with client.sending_slowly():
                _check_status(await client.everything(), 408)

    async def slow_body(self) -> None:
        """Sends the first half of a body."""
        async with self._connected() as client:
            await client.send(f"{_CHAT}Content-Length: 1000\r\n\r\n{'x' * 500}".encode())
            _check_status(await client.everything(), 408)

    async def endless_header(self) -> None:
        """Sends a header that is longer than allowed."""
        async with self._connected() as client:
            await client.send(b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nX-Long: " + b"x" * 100_000)
            _check_status(await client.everything(), 431)

    async def oversized_body(self) -> None:
        """Announces a body that is larger than allowed."""
        async with self._connected() as client:
            await client.send(f"{_CHAT}Connection: close\r\nContent-Length: 1000000000\r\n\r\n".encode())
            _check_status(await client.everything(), 401, 413, 429, *self._outage_status())

    async def garbage(self) -> None:
        """Sends bytes that aren't HTTP."""
        async with self._connected() as client:
            await client.send(secrets.token_bytes(200) + b"\r\n\r\n")
            _check_status(await client.everything(), 400)

    async def abandoned_login(self) -> None:
        """Sends a wrong password and disconnects before the response."""
        body = msgspec.json.encode({"email": EMAIL, "password": secrets.token_urlsafe()})
        async with self._connected() as client:
            await client.send(_with_body(f"{_LOGIN}X-Forwarded-For: {_LOGIN_GUESSER}\r\n", body))
            await asyncio.sleep(_LEAVE_AFTER_SECONDS)

    async def guessed_key(self) -> None:
        """Guesses the key of an instance."""
        body = msgspec.json.encode({"model": "soak-fast", "messages": [{"role": "user", "content": "Hello!"}]})
        await self._guess(_CHAT, body)

    async def guessed_session(self) -> None:
        """Guesses a session token of the management API."""
        await self._guess("GET /api/instances HTTP/1.1\r\nHost: localhost\r\n", b"")

    async def _guess(self, head: str, body: bytes) -> None:
        credential = f"Authorization: Bearer {secrets.token_urlsafe()}\r\nX-Forwarded-For: {_GUESSER}\r\n"
        async with self._connected() as client:
            await client.send(_with_body(f"{head}Connection: close\r\n{credential}", body))
            _check_status(await client.everything(), 401, 429, *self._outage_status())

    def _outage_status(self) -> tuple[int, ...]:
        """Returns 503 if the database may just have been down."""
        began = time.monotonic() - _PIECE_SECONDS
        return (503,) if self._scenario.outage.may_have_affected(began) else ()

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator["_Connection"]:
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
            client.setblocking(False)
            async with asyncio.timeout(REQUEST_SECONDS + STALL_SECONDS + 2 * _MARGIN_SECONDS):
                await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", self._port))
                yield _Connection(client)


class _Connection:
    """A socket that reads only when it is told to, which a stream of asyncio doesn't."""

    def __init__(self, client: socket.socket) -> None:
        self._client = client
        self._loop = asyncio.get_running_loop()

    async def send(self, data: bytes) -> None:
        """Sends the data, or as much of it as the server accepts before it closes the connection."""
        with suppress(ConnectionError):
            await self._loop.sock_sendall(self._client, data)

    async def everything(self) -> bytes:
        """Returns what arrives until the server closes or resets the connection."""
        received = bytearray()
        with suppress(ConnectionError):
            while piece := await self._loop.sock_recv(self._client, 65_536):
                received += piece
        return bytes(received)

    @asynccontextmanager
    async def sending_slowly(self) -> AsyncIterator[None]:
        """Sends one byte per second during the context."""
        sending = asyncio.create_task(self._send_slowly())
        try:
            yield
        finally:
            sending.cancel()
            with suppress(asyncio.CancelledError):
                await sending

    async def _send_slowly(self) -> None:
        while True:
            await asyncio.sleep(_PIECE_SECONDS)
            await self.send(b"x")


def _with_body(head: str, body: bytes) -> bytes:
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def _check_status(response: bytes, *allowed: int) -> None:
    """Checks the status; a reset connection, which may lose the response, is allowed."""
    if response:
        check(response[9:12].decode("latin-1") in map(str, allowed), True, f"whether {response[:40]!r} is {allowed}")


class Kind(NamedTuple):
    """A kind of hostile client: how many there are, and how long each waits between attacks."""

    clients: int
    pause_seconds: float
    run: Callable[[HostileClients], Awaitable[None]]


KINDS: Mapping[str, Kind] = {
    "stalled reader": Kind(20, 0.1, HostileClients.stalled_reader),
    "silent connection": Kind(100, 0.1, HostileClients.silent_connection),
    "slow header": Kind(50, 0.1, HostileClients.slow_header),
    "slow body": Kind(20, 0.1, HostileClients.slow_body),
    "endless header": Kind(1, 1.0, HostileClients.endless_header),
    "oversized body": Kind(1, 1.0, HostileClients.oversized_body),
    "garbage": Kind(1, 1.0, HostileClients.garbage),
    "abandoned login": Kind(1, 0.5, HostileClients.abandoned_login),
    "guessed key": Kind(2, 0.05, HostileClients.guessed_key),
    "guessed session": Kind(1, 0.1, HostileClients.guessed_session),
}
