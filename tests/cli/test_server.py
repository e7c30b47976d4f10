"""The server and the parent of workers that `polyant serve` runs."""

import asyncio
import json
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import closing

import pytest
import uvicorn

from polyant.cli.server import AnnouncingServer, DrainingServer
from polyant.http.app import HttpSettings
from polyant.http.connections import ConnectionLimits
from polyant.http.lifespan import StartupErrorReporter
from support.app import App
from support.patience import PATIENCE
from support.waiting import until

BODY = json.dumps({"model": "demo-bot", "messages": [{"role": "user", "content": "Hello!"}]}).encode()
HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: "
REQUEST = b"%b%d\r\n\r\n%b" % (HEAD, len(BODY), BODY)
QUEUED = 20
LIMITS = ConnectionLimits(drain=0.05)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with closing(socket.create_server(("127.0.0.1", 0), backlog=QUEUED)) as listener:
        yield listener


@pytest.fixture
async def config() -> uvicorn.Config:
    app = App(HttpSettings(rate_limit=None))
    await app.add("demo-bot")
    asgi = StartupErrorReporter(app.asgi, (), connection_limits=LIMITS)
    return uvicorn.Config(asgi, http="polyant.http.protocol:HttpProtocol", lifespan="on", log_config=None)


@pytest.fixture
async def server(config: uvicorn.Config, listener: socket.socket) -> DrainingServer:
    """A running server in the test's own event loop."""
    server = DrainingServer(config)
    config.load()
    server.lifespan = config.lifespan_class(config)
    await server.startup(sockets=[listener])
    return server


async def test_queued_connections_are_served_before_the_server_stops(
    server: DrainingServer, listener: socket.socket
) -> None:
    address = listener.getsockname()
    # Nothing is awaited up to the shutdown, so only the kernel has accepted these connections.
    queued = [socket.create_connection(address, timeout=PATIENCE) for _ in range(QUEUED)]
    for connection in queued:
        connection.sendall(REQUEST)
    shutdown = asyncio.create_task(server.shutdown([listener]))
    responses = await asyncio.gather(*(asyncio.to_thread(received, connection) for connection in queued))
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, timeout=PATIENCE)
    await shutdown
    assert [response.split(b"\r\n")[0] for response in responses] == [b"HTTP/1.1 200 OK"] * QUEUED


async def test_request_that_came_while_the_process_stood_still_is_answered(
    server: DrainingServer, listener: socket.socket
) -> None:
    client = socket.create_connection(listener.getsockname(), timeout=PATIENCE)

    async def is_open() -> bool:
        return bool(server.server_state.connections)

    await until(is_open)
    signal.raise_signal(signal.SIGTERM)
    await asyncio.sleep(0)  # the application receives the signal
    # Nothing is awaited up to the shutdown: the server reads the request only after the drain time.
    for connection in server.server_state.connections:
        connection.shutdown()
    client.sendall(REQUEST)
    time.sleep(2 * LIMITS.drain)  # noqa: ASYNC251 - the loop has to stand still
    response = await asyncio.to_thread(received, client)
    await server.shutdown([listener])
    assert response.startswith(b"HTTP/1.1 200 OK")


async def test_client_that_left_the_queue_does_not_prevent_the_shutdown(
    server: DrainingServer, listener: socket.socket
) -> None:
    socket.create_connection(listener.getsockname(), timeout=PATIENCE).close()
    await server.shutdown([listener])


async def test_server_is_announced_once_connections_are_accepted(
    config: uvicorn.Config, listener: socket.socket
) -> None:
    announced: list[str] = []
    server = AnnouncingServer(config, announce=lambda: announced.append("ready"))
    config.load()
    server.lifespan = config.lifespan_class(config)
    assert announced == []
    await server.startup(sockets=[listener])
    assert announced == ["ready"]
    await server.shutdown([listener])


def received(connection: socket.socket) -> bytes:
    """Returns everything that the server sends until it closes the connection."""
    with connection, connection.makefile("rb") as stream:
        return stream.read()
