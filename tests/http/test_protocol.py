"""Hostile and broken clients on real sockets."""

import asyncio
import logging
import socket
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
import uvicorn
from uvicorn.server import ServerState

from polyant.http.connections import MAX_PIPELINED_REQUESTS, ConnectionLimits, default_max_connections, pool_of
from polyant.http.disconnects import EXTENSION
from polyant.http.error_bodies import ErrorFormat
from polyant.http.protocol import HttpProtocol
from support.logs import collected, fields_of
from support.patience import PATIENCE
from support.waiting import until

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
SHORT = ConnectionLimits(request=0.2, stall=0.4)
MIB = 2**20


class Probe:
    """An application that notes what it is asked, and a server for it in the test's own event loop."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.scopes: list[Any] = []
        self.disconnected = asyncio.Event()
        self.respond: Callable[[Any], Awaitable[None]] = self.send_hello
        self.connection_limits = ConnectionLimits()
        self.receives_disconnect = True
        self.state = ServerState()
        self.port = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.disconnected.set()
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
        self.bodies.append(body)
        responding = asyncio.ensure_future(self.respond(send))
        watch = asyncio.create_task(self._watch(receive, responding)) if self.receives_disconnect else None
        try:
            await asyncio.wait([responding])
        finally:
            responding.cancel()
            if watch is not None:
                watch.cancel()

    async def send_hello(self, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
        await send({"type": "http.response.body", "body": b"hello"})

    async def _watch(self, receive: Any, responding: "asyncio.Future[None]") -> None:
        if (await receive())["type"] == "http.disconnect" and not responding.done():
            self.disconnected.set()
            responding.cancel()

    @asynccontextmanager
    async def served(self, limits: ConnectionLimits | None = None) -> AsyncIterator[None]:
        self.connection_limits = limits or ConnectionLimits()
        config = uvicorn.Config(self, proxy_headers=False, lifespan="off", log_config=None, access_log=False)
        config.load()
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: HttpProtocol(config=config, server_state=self.state, app_state={}), "127.0.0.1", 0
        )
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            server.close()
            for connection in list(self.state.connections):
                connection.transport.abort()
            for task in list(self.state.tasks):
                task.cancel()
            await self.until(lambda: not self.state.tasks and not self.state.connections)

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=64 * MIB)
        try:
            yield reader, writer
        finally:
            writer.transport.abort()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Returns once it holds."""

        async def holds_now() -> bool:
            return holds()

        await until(holds_now)

    async def only_connection(self) -> Any:
        """Returns the protocol of the only connection, once there is one."""
        await self.until(lambda: len(self.state.connections) == 1)
        return next(iter(self.state.connections))

    async def exchange(self, data: bytes) -> bytes:
        """Sends the data and returns everything that comes until the server closes the connection."""
        async with self.connected() as (reader, writer):
            writer.write(data)
            return await to_the_end(reader)


@pytest.fixture
async def probe() -> Probe:
    return Probe()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused clients are not waited for."""
    monkeypatch.setattr("polyant.http.protocol._LINGER_SECONDS", 0.05)


async def to_the_end(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(PATIENCE):
        return await reader.read()


async def one_response(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(PATIENCE):
        head = await reader.readuntil(b"\r\n\r\n")
        return head + await reader.readexactly(5)


def refusal(response: bytes) -> tuple[int, dict[str, Any]]:
    """Returns the status and the envelope of the one response."""
    head, _, body = response.partition(b"\r\n\r\n")
    lines = head.decode().lower().split("\r\n")
    assert "connection: close" in lines
    assert "content-type: application/json" in lines
    assert any(line.startswith("x-request-id: req_") for line in lines)
    return int(lines[0].split()[1]), msgspec.json.decode(body)


TOO_LARGE = (
    431,
    {"statusCode": 431, "message": "Request header fields too large", "error": "Request Header Fields Too Large"},
)


async def test_ordinary_requests_are_served_on_one_connection(probe: Probe) -> None:
    async with probe.served(), probe.connected() as (reader, writer):
        for _ in range(3):
            writer.write(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc")
            assert (await one_response(reader)).endswith(b"hello")
    assert probe.bodies == [b"abc"] * 3


async def test_pipelined_requests_are_answered_in_order_whatever_they_add_up_to(probe: Probe) -> None:
    padded = b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Padding: %b\r\n\r\n" % (b"x" * 1_000)
    async with probe.served(), probe.connected() as (reader, writer):
        writer.write(padded * 100)
        for _ in range(100):
            await one_response(reader)


@pytest.mark.parametrize(
    "data",
    [
        b"GET /" + b"x" * 400_000,
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: " + b"x" * 400_000,
        b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X-Many: x\r\n" * 201 + b"\r\n",
        b"\r\n" * 200_000,
        b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n1;" + b"x" * 400_000,
        b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
        + b"1;xxxxxxxxxxxxxxxx\r\na\r\n" * 20_000,
        b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Trailer: " + b"x" * 400_000,
        b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + b"X-Trailer: x\r\n" * 201,
    ],
    ids=["request line", "header", "headers", "blank lines", "extension", "extensions", "trailer", "trailers"],
)
async def test_everything_but_the_body_is_bounded(probe: Probe, data: bytes) -> None:
    async with probe.served():
        assert refusal(await probe.exchange(data)) == TOO_LARGE
    assert probe.bodies == []


@pytest.mark.parametrize(
    "data", [b"GET /%b HTTP/1.1\r\nHost: a\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nX-Long: %b\r\n\r\n"]
)
@pytest.mark.parametrize("length", [64 * 1024, 70_000, 200_000])
async def test_complete_head_is_bounded_too(probe: Probe, data: bytes, length: int) -> None:
    async with probe.served():
        assert refusal(await probe.exchange(data % (b"x" * length))) == TOO_LARGE
    assert probe.scopes == []


async def test_head_of_almost_the_maximum_size_is_accepted(probe: Probe) -> None:
    async with probe.served(), probe.connected() as (reader, writer):
        for _ in range(3):
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nX-Long: %b\r\n\r\n" % (b"x" * 65_000))
            await one_response(reader)


async def test_body_may_come_in_many_small_chunks(probe: Probe) -> None:
    data = (
        b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
        + b"1\r\na\r\n" * 30_000
        + b"0\r\n\r\n"
    )
    async with probe.served(), probe.connected() as (reader, writer):
        writer.write(data)
        await one_response(reader)
    assert probe.bodies == [b"a" * 30_000]


async def test_large_body_is_no_header(probe: Probe) -> None:
    async with probe.served(), probe.connected() as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % MIB + b"x" * MIB)
        await one_response(reader)
    assert probe.bodies == [b"x" * MIB]


async def test_trailers_are_not_taken_for_headers(probe: Probe) -> None:
    chunks = b"1\r\na\r\n0\r\nAuthorization: Bearer x\r\n\r\n"
    data = b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks
    async with probe.served(), probe.connected() as (reader, writer):
        writer.write(data)
        await one_response(reader)
    assert [name for name, _ in probe.scopes[0]["headers"]] == [b"host", b"transfer-encoding"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "A request has exactly one Host header"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "A request has exactly one Host header"),
        (b"rubbish\r\n\r\n", "Invalid HTTP request received."),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", "Invalid HTTP request received."),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "Invalid HTTP request received."),
    ],
    ids=["no host", "two hosts", "rubbish", "bad length", "bad chunk"],
)
async def test_malformed_request_has_the_envelope(probe: Probe, data: bytes, message: str) -> None:
    async with probe.served():
        status, envelope = refusal(await probe.exchange(data))
    assert (status, envelope) == (400, {"statusCode": 400, "message": message, "error": "Bad Request"})


async def test_http_1_0_needs_no_host(probe: Probe) -> None:
    async with probe.served():
        assert (await probe.exchange(b"GET / HTTP/1.0\r\n\r\n")).endswith(b"hello")


H2C = b"Connection: Upgrade, HTTP2-Settings, Keep-Alive\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n"


@pytest.mark.parametrize("offer", [b"Connection: upgrade\r\nUpgrade: websocket\r\n", H2C], ids=["websocket", "h2c"])
@pytest.mark.parametrize("pause", [False, True], ids=["at once", "body later"])
async def test_request_that_offers_another_protocol_is_an_ordinary_one(
    probe: Probe, offer: bytes, *, pause: bool
) -> None:
    """Java's HttpClient offers HTTP/2 with each request, bodies included."""
    head = b"POST /a?b HTTP/1.1\r\nHost: localhost\r\n%bX-Last: x\r\nContent-Length: 3\r\n\r\n" % offer
    async with probe.served(), probe.connected() as (reader, writer):
        for _ in range(2):
            writer.write(head)
            if pause:
                await asyncio.sleep(0.05)
            writer.write(b"abc" + GET)
            await one_response(reader)
            await one_response(reader)
    assert probe.bodies == [b"abc", b""] * 2
    scope = probe.scopes[0]
    assert (scope["method"], scope["path"], scope["query_string"]) == ("POST", "/a", b"b")
    names = [name for name, _ in scope["headers"]]
    assert names == [b"host", *([b"connection"] if offer is H2C else []), b"x-last", b"content-length"]


async def test_many_offers_in_a_row_are_bounded_like_other_requests(probe: Probe) -> None:
    request = b"GET / HTTP/1.1\r\nHost: localhost\r\n%b\r\n" % H2C
    async with probe.served():
        responses = await probe.exchange(request * 1_000)
    assert 0 < responses.count(b"hello") == len(probe.scopes) <= 1_000


@pytest.mark.parametrize("target", [b"localhost:443", b"/", b"localhost"])
async def test_tunnel_is_refused(probe: Probe, target: bytes) -> None:
    async with probe.served():
        assert refusal(await probe.exchange(b"CONNECT %b HTTP/1.1\r\nHost: localhost\r\n\r\n" % target))[0] == 400


async def test_refusal_is_in_the_access_log(probe: Probe) -> None:
    with collected("polyant.access") as records:
        async with probe.served():
            await probe.exchange(b"rubbish\r\n\r\n")
    (record,) = records
    assert isinstance(record, logging.LogRecord)
    assert fields_of(record)["status"] == 400


# Pipelining


async def test_requests_ahead_of_their_responses_are_bounded(probe: Probe) -> None:
    """The connection ends with the last one: 256,000 bytes, as much as one read, would hold 10,000 in memory."""
    release = asyncio.Event()

    async def respond(send: Any) -> None:
        await release.wait()
        await probe.send_hello(send)

    probe.respond = respond
    async with probe.served(), probe.connected() as (reader, writer):
        writer.write(GET * 3_000)
        await probe.until(lambda: bool(probe.scopes))
        release.set()
        responses = await to_the_end(reader)
    assert responses.count(b"hello") == len(probe.scopes) == MAX_PIPELINED_REQUESTS + 1
    assert responses.lower().count(b"connection: close") == 1
    assert {len(scope["headers"]) for scope in probe.scopes} == {1}  # none has those of a refused request


async def test_body_of_a_request_that_waits_is_bounded_and_then_read(probe: Probe) -> None:
    release, post = asyncio.Event(), b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % (16 * MIB)

    async def respond(send: Any) -> None:
        await release.wait()
        await probe.send_hello(send)

    probe.respond = respond
    async with probe.served(), probe.connected() as (reader, writer):
        writer.write(GET * 50)
        writer.write(post + b"x" * (16 * MIB))
        connection = await probe.only_connection()
        release.set()
        held = 0
        for _ in range(50):
            await one_response(reader)
            held = max(held, len(connection.cycle.body))
        assert held < MIB
        await one_response(reader)
    assert [len(body) for body in probe.bodies] == [*([0] * 50), 16 * MIB]


@pytest.mark.parametrize("rest", [b"", GET, GET * 5, GET + GET[:9]])
@pytest.mark.parametrize("by_extension", [False, True])
async def test_application_hears_of_the_disconnect_whatever_the_client_has_sent_ahead(
    probe: Probe, rest: bytes, *, by_extension: bool
) -> None:
    async def wait_forever(_: Any) -> None:
        if by_extension:
            probe.scopes[0]["extensions"][EXTENSION](probe.disconnected.set)
        await asyncio.Event().wait()

    probe.respond, probe.receives_disconnect = wait_forever, not by_extension
    async with probe.served():
        async with probe.connected() as (_, writer):
            writer.write(GET + rest)
            await probe.until(lambda: bool(probe.bodies))
        await asyncio.wait_for(probe.disconnected.wait(), PATIENCE)
    assert len(probe.scopes) == 1


@pytest.mark.parametrize("rest", [GET[:9], GET, GET + GET[:9]])
async def test_stalled_client_is_disconnected_whatever_it_has_sent_ahead(probe: Probe, rest: bytes) -> None:
    probe.respond = send_without_end
    async with probe.served(SHORT):
        with stalled(probe.port) as client:
            client.sendall(rest)
            await asyncio.wait_for(probe.disconnected.wait(), PATIENCE)
            await probe.until(lambda: not probe.state.connections)


# Time


async def test_connection_that_never_sends_a_byte_is_closed_without_a_response(probe: Probe) -> None:
    async with probe.served(SHORT), probe.connected() as (reader, _):
        assert await to_the_end(reader) == b""


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HT",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nabc",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n",
    ],
    ids=["half a line", "half a head", "half a body", "half a chunked body"],
)
async def test_half_a_request_times_out(probe: Probe, data: bytes) -> None:
    async with probe.served(SHORT):
        status, envelope = refusal(await probe.exchange(data))
    assert (status, envelope["message"], envelope["error"]) == (408, "Request timed out", "Request Timeout")


async def test_headers_that_trickle_time_out(probe: Probe) -> None:
    async with probe.served(SHORT), probe.connected() as (reader, writer):
        response = asyncio.create_task(to_the_end(reader))
        writer.write(b"GET / HTTP/1.1\r\n")
        while not response.done():
            writer.write(b"X: y\r\n")
            await asyncio.sleep(0.05)
        assert refusal(await response)[0] == 408


async def test_body_may_take_longer_as_long_as_pieces_come_and_then_times_out_as_a_whole(probe: Probe) -> None:
    """A minute for each MiB: 100 KiB are worth six seconds."""
    limits = ConnectionLimits(request=0.5)
    async with probe.served(limits), probe.connected() as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1048576\r\n\r\n")
        for _ in range(10):
            writer.write(b"x" * 10_240)
            await asyncio.sleep(0.1)
        assert not reader.at_eof()
    async with probe.served(limits), probe.connected() as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1048576\r\n\r\n")
        response = asyncio.create_task(to_the_end(reader))
        while not response.done():
            writer.write(b"x")
            await asyncio.sleep(0.05)
        assert refusal(await response)[0] == 408


async def test_idle_connection_is_kept_for_its_own_time(probe: Probe) -> None:
    limits = ConnectionLimits(request=0.1, keep_alive=60.0)
    async with probe.served(limits), probe.connected() as (reader, writer):
        writer.write(GET)
        await one_response(reader)
        await asyncio.sleep(0.5)
        writer.write(GET)
        await one_response(reader)


async def test_idle_connection_is_closed_in_the_end(probe: Probe) -> None:
    async with probe.served(ConnectionLimits(keep_alive=0.05)), probe.connected() as (reader, writer):
        writer.write(GET)
        assert (await to_the_end(reader)).endswith(b"hello")


async def test_slow_response_is_not_the_client_s_fault(probe: Probe) -> None:
    async def respond(send: Any) -> None:
        await asyncio.sleep(1)
        await probe.send_hello(send)

    probe.respond = respond
    async with probe.served(SHORT), probe.connected() as (reader, writer):
        writer.write(GET)
        await one_response(reader)


# Stalled readers


async def send_without_end(send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    while True:
        await send({"type": "http.response.body", "body": b"x" * 4_096, "more_body": True})
        await asyncio.sleep(0)  # sending to a client that is gone doesn't wait


async def send_much_at_once(send: Any) -> None:
    body = b"x" * (16 * MIB)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


@pytest.mark.parametrize("respond", [send_without_end, send_much_at_once])
async def test_client_that_takes_nothing_is_disconnected(
    probe: Probe, respond: Callable[[Any], Awaitable[None]]
) -> None:
    probe.respond = respond
    async with probe.served(SHORT):
        with stalled(probe.port):
            await probe.until(lambda: bool(probe.bodies))
            await probe.until(lambda: not probe.state.connections)


async def test_application_hears_of_a_stalled_client_s_end(probe: Probe) -> None:
    probe.respond = send_without_end
    async with probe.served(SHORT):
        with stalled(probe.port):
            await asyncio.wait_for(probe.disconnected.wait(), PATIENCE)


async def test_connection_calls_back_when_its_client_is_gone_unless_the_watch_has_ended(probe: Probe) -> None:
    called: list[str] = []

    async def watch(send: Any) -> None:
        watch_disconnect = probe.scopes[-1]["extensions"][EXTENSION]
        end = watch_disconnect(lambda: called.append("ended"))
        watch_disconnect(lambda: called.append("watching"))
        end()
        await probe.send_hello(send)

    probe.respond = watch
    async with probe.served():
        async with probe.connected() as (reader, writer):
            writer.write(GET)
            assert (await one_response(reader)).endswith(b"hello")
            assert called == []
        await probe.until(lambda: not probe.state.connections)
    assert called == ["watching"]
    assert probe.scopes[-1]["extensions"] == {}  # else the connection would refer to itself


@pytest.mark.parametrize("data", [b"", GET, GET[:10], b"garbage\r\n\r\n"], ids=["silent", "served", "half", "refused"])
async def test_closed_connection_is_freed_without_garbage_collection(
    probe: Probe, data: bytes, no_garbage_collection: None
) -> None:
    async with probe.served():
        async with probe.connected() as (reader, writer):
            await probe.until(lambda: bool(probe.state.connections))
            (freed,) = map(weakref.ref, probe.state.connections)
            writer.write(data)
            if data == GET:
                await one_response(reader)
        await probe.until(lambda: not probe.state.connections and not probe.state.tasks)
        await probe.until(lambda: freed() is None)


async def test_slow_but_steady_reader_is_served(probe: Probe) -> None:
    """At 16 KiB/s; with a small buffer, so that the kernel acknowledges at least every half second."""
    probe.respond = send_without_end
    loop = asyncio.get_running_loop()
    async with probe.served(ConnectionLimits(stall=3.0)):
        with stalled(probe.port, buffer=16_384) as client:
            client.setblocking(False)
            for _ in range(80):
                assert await loop.sock_recv(client, 1_638)
                await asyncio.sleep(0.1)
            assert not probe.disconnected.is_set()


def stalled(port: int, buffer: int = 4_096, *, request: bytes = GET) -> socket.socket:
    """Returns a connection whose client has sent a request and reads nothing."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    client.connect(("127.0.0.1", port))
    client.sendall(request)
    return client


# Many connections


async def test_when_full_the_longest_waiting_connection_makes_room(probe: Probe) -> None:
    async with (
        probe.served(ConnectionLimits(max_connections=2)),
        probe.connected() as (first, _),
        probe.connected() as (second, second_writer),
    ):
        second_writer.write(GET)
        await one_response(second)
        async with probe.connected() as (third, third_writer):
            assert await to_the_end(first) == b""
            third_writer.write(GET)
            await one_response(third)
            second_writer.write(GET)
            await one_response(second)


@pytest.mark.parametrize(
    ("data", "is_refused"),
    [
        (b"GET / HT", False),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nabc", False),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: " + b"x" * 400_000, True),
    ],
    ids=["half a head", "half a body", "refused"],
)
async def test_when_full_a_connection_without_a_complete_request_makes_room(
    probe: Probe, monkeypatch: pytest.MonkeyPatch, data: bytes, *, is_refused: bool
) -> None:
    monkeypatch.setattr("polyant.http.protocol._LINGER_SECONDS", PATIENCE)
    async with probe.served(ConnectionLimits(max_connections=1)), probe.connected() as (_, slow_writer):
        slow_writer.write(data)
        slow = await probe.only_connection()
        await probe.until(lambda: slow._phase in {"head", "body"} and slow._refused == is_refused)
        async with probe.connected() as (reader, writer):
            writer.write(GET)
            await one_response(reader)
            assert slow not in probe.state.connections


@pytest.mark.parametrize("version", [b"1.0", b"1.1"], ids=["to be closed", "kept alive"])
async def test_when_full_a_client_that_does_not_read_its_response_makes_room(probe: Probe, version: bytes) -> None:
    probe.respond = send_much_at_once
    async with probe.served(ConnectionLimits(max_connections=1)):
        with stalled(probe.port, request=GET.replace(b"1.1", version)):
            slow = await probe.only_connection()
            await probe.until(lambda: slow.cycle is not None and slow.cycle.response_complete)
            probe.respond = probe.send_hello
            async with probe.connected() as (reader, writer):
                writer.write(GET)
                await one_response(reader)
                await probe.until(lambda: slow not in probe.state.connections)


async def test_request_that_has_just_begun_is_not_the_first_to_make_room(probe: Probe) -> None:
    async with (
        probe.served(ConnectionLimits(max_connections=2)),
        probe.connected() as (first, first_writer),
        probe.connected() as (second, _),
    ):
        await probe.until(lambda: len(probe.state.connections) == 2)
        first_writer.write(GET[:9])
        connections: set[Any] = probe.state.connections
        await probe.until(lambda: any(each._phase == "head" for each in connections))
        async with probe.connected():
            assert await to_the_end(second) == b""
            first_writer.write(GET[9:])
            await one_response(first)


async def test_when_all_are_busy_only_health_is_answered(probe: Probe) -> None:
    release = asyncio.Event()

    async def respond(send: Any) -> None:
        await release.wait()
        await probe.send_hello(send)

    probe.respond = respond
    async with (
        probe.served(ConnectionLimits(max_connections=2)),
        probe.connected() as (first, writer),
        probe.connected() as (second, other_writer),
    ):
        writer.write(GET)
        other_writer.write(GET)
        await probe.until(lambda: len(probe.bodies) == 2)
        status, envelope = refusal(await probe.exchange(GET))
        assert (status, envelope["message"]) == (503, "Server is busy")
        health = asyncio.create_task(probe.exchange(GET.replace(b"GET /", b"GET /health")))
        await probe.until(lambda: len(probe.bodies) == 3)
        release.set()
        assert (await health).endswith(b"hello")
        await one_response(first)
        await one_response(second)


async def test_limits_come_from_the_application_also_through_middleware(probe: Probe) -> None:
    class Around:
        app = probe

    probe.connection_limits = SHORT
    pool = pool_of(ServerState(), Around(), asyncio.get_running_loop())
    assert pool.limits is SHORT


def test_default_number_of_connections_leaves_files_for_providers(monkeypatch: pytest.MonkeyPatch) -> None:
    for soft, expected in ((256, 78), (1_024, 462), (10**6, 10_000), (-1, 10_000), (10, 1)):
        monkeypatch.setattr("resource.getrlimit", lambda _, soft=soft: (soft, soft))
        assert default_max_connections() == expected


# The format of errors


@pytest.mark.parametrize(
    ("data", "in_openais"),
    [
        (b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nX-Long: " + b"x" * 400_000, True),
        (b"GET /api/users HTTP/1.1\r\nHost: localhost\r\nX-Long: " + b"x" * 400_000, False),
        (b"GET /v1/models HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", True),
        (b"\r\n" * 200_000, False),
        (b"rubbish\r\n\r\n", False),
    ],
)
async def test_errors_of_the_protocol_have_the_chosen_format(probe: Probe, data: bytes, *, in_openais: bool) -> None:
    async with probe.served(ConnectionLimits(error_format=ErrorFormat.OPENAI)):
        status, body = refusal(await probe.exchange(data))
    assert body.keys() == ({"error"} if in_openais else {"statusCode", "message", "error"})
    if in_openais:
        assert body["error"].keys() == {"message", "type", "param", "code"}
        assert (status in {400, 431}, body["error"]["type"]) == (True, "invalid_request_error")


async def test_late_request_is_refused_in_the_chosen_format(probe: Probe) -> None:
    async with probe.served(ConnectionLimits(request=0.2, error_format=ErrorFormat.OPENAI)):
        head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n"
        status, body = refusal(await probe.exchange(head))
    assert (status, body["error"]["message"]) == (408, "Request timed out")


async def test_full_server_refuses_in_the_chosen_format(probe: Probe) -> None:
    limits = ConnectionLimits(max_connections=1, error_format=ErrorFormat.OPENAI)
    release = asyncio.Event()

    async def respond(send: Any) -> None:
        await release.wait()
        await probe.send_hello(send)

    probe.respond = respond
    async with probe.served(limits), probe.connected() as (reader, writer):
        writer.write(GET)
        await probe.until(lambda: len(probe.bodies) == 1)
        status, body = refusal(await probe.exchange(GET.replace(b"GET /", b"GET /v1/models")))
        assert (status, body["error"]["message"]) == (503, "Server is busy")
        release.set()
        await one_response(reader)


# The server stops


def shut_down(probe: Probe) -> None:
    """Does what uvicorn does with open connections when it stops."""
    for connection in list(probe.state.connections):
        connection.shutdown()


async def test_stopping_server_answers_a_request_on_an_idle_connection_and_closes_it(probe: Probe) -> None:
    async with probe.served(), probe.connected() as (reader, writer):
        writer.write(GET)
        await one_response(reader)
        shut_down(probe)
        writer.write(GET)
        response = await to_the_end(reader)
    assert response.endswith(b"hello")
    assert b"connection: close" in response


async def test_stopping_server_closes_idle_connections_after_the_drain_time(probe: Probe) -> None:
    async with (
        probe.served(ConnectionLimits(drain=0.1)),
        probe.connected() as (used, writer),
        probe.connected() as (unused, _),
    ):
        writer.write(GET)
        await one_response(used)
        await probe.until(lambda: len(probe.state.connections) == 2)
        shut_down(probe)
        assert await to_the_end(used) == await to_the_end(unused) == b""


@pytest.mark.parametrize(
    "data",
    [b"GET / HT", b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nabc"],
    ids=["half a head", "half a body"],
)
async def test_stopping_server_refuses_incomplete_requests_after_the_drain_time(probe: Probe, data: bytes) -> None:
    async with probe.served(ConnectionLimits(drain=0.1)), probe.connected() as (reader, writer):
        writer.write(data)
        connection = await probe.only_connection()
        await probe.until(lambda: connection._phase in {"head", "body"})
        shut_down(probe)
        status, envelope = refusal(await to_the_end(reader))
    assert (status, envelope["message"]) == (503, "Server is shutting down")


async def test_stopping_server_sends_nothing_to_a_client_that_has_left(probe: Probe) -> None:
    with collected("polyant.access") as records:
        async with probe.served(ConnectionLimits(drain=0.2)):
            async with probe.connected() as (_, writer):
                writer.write(GET[:9])
                connection = await probe.only_connection()
                await probe.until(lambda: connection._phase == "head")
                shut_down(probe)
            await probe.until(lambda: not probe.state.connections)
            await asyncio.sleep(0.4)
    assert not records


async def test_running_response_is_the_last_one_of_a_stopping_server(probe: Probe) -> None:
    release = asyncio.Event()

    async def respond(send: Any) -> None:
        await release.wait()
        await probe.send_hello(send)

    probe.respond = respond
    async with probe.served(ConnectionLimits(drain=0.1)), probe.connected() as (reader, writer):
        writer.write(GET)
        await probe.until(lambda: bool(probe.bodies))
        shut_down(probe)
        await asyncio.sleep(0.2)
        release.set()
        response = await to_the_end(reader)
    assert response.endswith(b"hello")
    assert b"connection: close" in response
