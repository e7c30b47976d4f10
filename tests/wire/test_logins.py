"""Floods of logins over real connections, with a hasher that waits for the test."""

import asyncio
import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count

import pytest

from polyant.adapters.crypto.password_hasher import Argon2idPasswordHasher
from polyant.domain.ports.password_hasher import PasswordHasher
from polyant.domain.secrets import SecretText
from support.app import chat_body
from support.management import PASSWORD
from support.process import eventually
from support.server import LiveServer, live
from support.sessions import session_token

PLACES = 16
AT_ONCE = 2


class GatedHasher(PasswordHasher):
    """A hasher whose verifications wait for the test; records the hashes to verify, None for unknown accounts."""

    def __init__(self) -> None:
        self.begun: list[str | None] = []
        self._inner = Argon2idPasswordHasher(memory_kib=8, iterations=1)
        self._gate = asyncio.Semaphore(0)

    async def finish(self, number: int) -> None:
        for _ in range(number):
            self._gate.release()

    async def hash(self, password: SecretText) -> str:
        return await self._inner.hash(password)

    async def verify(self, password: SecretText, hashed: str | None) -> bool:
        self.begun.append(hashed)
        await self._gate.acquire()
        return await self._inner.verify(password, hashed)


class Flood:
    """A server behind one trusted proxy, and connections from many networks."""

    def __init__(self, server: LiveServer, hasher: GatedHasher, stack: ExitStack) -> None:
        self.hasher = hasher
        self._server = server
        self._stack = stack
        self._addresses = (f"198.51.{number // 250}.{number % 250}" for number in count(1))

    def log_in(self, email: str, *, network: str = "") -> socket.socket:
        """Returns a connection on which a login was sent, by default from a new network."""
        body = json.dumps({"email": email, "password": PASSWORD}).encode()
        return self.send("POST", "/api/auth/login", body, network=network)

    def send(self, method: str, path: str, body: bytes = b"", *, network: str = "", token: str = "") -> socket.socket:
        connection = self._stack.enter_context(self._server.socket())
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\nX-Forwarded-For: {network or next(self._addresses)}\r\n"
        )
        authorization = f"Authorization: Bearer {token}\r\n" if token else ""
        connection.sendall(f"{head}{authorization}\r\n".encode() + body)
        return connection

    def finish(self, number: int) -> None:
        """Lets that many verifications end."""
        self._server.run(self.hasher.finish(number))

    def free_places(self, *, trusted: bool) -> int:
        return self._server.app.management.passwords._free_places[trusted]

    def until_begun(self, number: int) -> None:
        eventually(lambda: len(self.hasher.begun), number)


@pytest.fixture
def flood() -> Iterator[Flood]:
    hasher = GatedHasher()
    with live(hasher=hasher, trusted_hops=1) as server, ExitStack() as stack:
        server.run(server.app.management.add_user("eve@example.com", password=PASSWORD))
        yield Flood(server, hasher, stack)


def response_of(connection: socket.socket) -> bytes:
    received = b""
    while piece := connection.recv(65_536):
        received += piece
    return received


def status_of(connection: socket.socket) -> int:
    return int(response_of(connection).split()[1])


def test_flood_of_logins_keeps_no_other_caller_waiting(flood: Flood) -> None:
    home = "203.0.113.7"
    first = flood.log_in("eve@example.com", network=home)
    flood.finish(1)
    assert status_of(first) == 200
    flood.hasher.begun.clear()
    logins = [flood.log_in(f"nobody-{number}@example.com") for number in range(PLACES)]
    eventually(lambda: flood.free_places(trusted=False), 0)
    refused = [response_of(flood.log_in("eve@example.com")) for _ in range(150 - PLACES)]
    for response in refused:
        head, _, body = response.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 503 ")
        assert b"\r\nretry-after: 1\r\n" in head.lower()
        assert json.loads(body)["message"] == "Server is busy"
    token = session_token()
    assert status_of(flood.send("POST", "/v1/chat/completions", chat_body())) == 200
    for path in ("/v1/models", "/api/auth/me", "/api/instances", "/health/ready"):
        assert status_of(flood.send("GET", path, token=token)) == 200
    known = flood.log_in("eve@example.com", network=home)
    eventually(lambda: flood.free_places(trusted=True), PLACES - 1)
    flood.finish(1)
    flood.until_begun(AT_ONCE + 1)
    assert flood.hasher.begun == [None] * AT_ONCE + [flood.hasher.begun[-1]]
    assert flood.hasher.begun[-1] is not None, "the login from the known network goes first"
    flood.finish(PLACES)
    assert status_of(known) == 200
    assert {status_of(login) for login in logins} == {401}


def test_abandoned_logins_are_dropped(flood: Flood) -> None:
    running = [flood.log_in(f"nobody-{number}@example.com") for number in range(AT_ONCE)]
    flood.until_begun(AT_ONCE)
    waiting = [flood.log_in(f"somebody-{number}@example.com") for number in range(PLACES - AT_ONCE)]
    eventually(lambda: flood.free_places(trusted=False), 0)
    for login in waiting:
        login.close()
    eventually(lambda: flood.free_places(trusted=False), PLACES - AT_ONCE)
    for login in running:
        login.close()
    eventually(lambda: flood.free_places(trusted=False), PLACES)
    again = flood.log_in("eve@example.com")
    flood.until_begun(AT_ONCE + 1)
    flood.finish(1)
    assert status_of(again) == 200
    assert len(flood.hasher.begun) == AT_ONCE + 1
