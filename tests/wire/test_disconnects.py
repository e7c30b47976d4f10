"""Clients that disconnect from the real server: their turns end within a second and leave no tasks."""

import asyncio
import logging
import socket
import struct
from collections.abc import Callable
from typing import Any

import pytest

from polyant.domain.chat import TextDelta
from polyant.http.openai.responses import ResponseSettings
from support.app import CHAT, chat_body
from support.asgi import settle
from support.logs import fields_of
from support.patience import PATIENCE, seconds
from support.scripted_supervisor import TURN_FINISHED, says
from support.server import LiveServer, live

HEAD = f"POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


def request(**fields: Any) -> bytes:
    body = chat_body(**fields)
    return f"{HEAD}Content-Length: {len(body)}\r\n\r\n".encode() + body


def close(connection: socket.socket) -> None:
    connection.close()


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def tasks_of(server: LiveServer) -> int:
    """Returns the number of the server's tasks after all runnable ones have run."""

    async def count() -> int:
        await settle()
        return len(asyncio.all_tasks())

    return server.run(count())


def assert_abandoned(server: LiveServer, access_log: list[logging.LogRecord], tasks: int) -> None:
    server.run(server.app.supervisor.was_abandoned())
    assert tasks_of(server) == tasks
    assert server.app.supervisor.running == 0
    assert [fields_of(record)["status"] for record in access_log] == [499]


DISCONNECTS = pytest.mark.parametrize("disconnect", [close, reset])


@DISCONNECTS
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_disconnect_before_the_first_byte_abandons_the_turn(
    server: LiveServer, access_log: list[Any], disconnect: Callable[[socket.socket], None], *, stream: bool
) -> None:
    tasks = tasks_of(server)
    server.app.supervisor.plays(asyncio.Event())
    with server.socket() as connection:
        connection.sendall(request(stream=stream))
        server.run(server.app.supervisor.runs())
        disconnect(connection)
        assert_abandoned(server, access_log, tasks)


def test_disconnect_after_a_very_large_request_abandons_the_turn(server: LiveServer, access_log: list[Any]) -> None:
    tasks = tasks_of(server)
    server.app.supervisor.plays(asyncio.Event())
    with server.socket() as connection:
        connection.sendall(request(text="x" * 1_000_000))
        server.run(server.app.supervisor.runs())
        connection.close()
        assert_abandoned(server, access_log, tasks)


@DISCONNECTS
def test_disconnect_in_mid_stream_abandons_the_turn(
    server: LiveServer, access_log: list[Any], server_log: list[Any], disconnect: Callable[[socket.socket], None]
) -> None:
    tasks = tasks_of(server)
    server.app.supervisor.plays(TextDelta("Hel"), asyncio.Event())
    with server.socket() as connection:
        connection.sendall(request(stream=True))
        with connection.makefile("rb") as lines:
            assert any(b'"content":"Hel"' in line for line in lines)
        disconnect(connection)
        assert_abandoned(server, access_log, tasks)
    assert server_log == []


def test_stalled_reader_slows_its_turn_and_disconnect_abandons_it(server: LiveServer, access_log: list[Any]) -> None:
    tasks = tasks_of(server)
    server.app.supervisor.plays(*[TextDelta("x" * 65_536)] * 500, TURN_FINISHED)
    with server.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        connection.sendall(request(stream=True))
        taken = server.run(_stalled(server))
        assert 0 < taken < 500
        connection.close()
        assert_abandoned(server, access_log, tasks)


async def _stalled(server: LiveServer) -> int:
    """Returns the number of events that were sent before the stream stalled."""
    supervisor = server.app.supervisor
    before = -1
    while before != supervisor.yielded or not before:
        before = supervisor.yielded
        await asyncio.sleep(seconds(0.1))  # there is no event for full kernel buffers
    return before


def test_disconnect_while_only_heartbeats_are_sent_abandons_the_turn() -> None:
    with live(responses=ResponseSettings(stream_head=0.01, heartbeat=0.01)) as server, server.socket() as connection:
        tasks = tasks_of(server)
        server.app.supervisor.plays(asyncio.Event())
        connection.sendall(request(stream=True))
        with connection.makefile("rb") as lines:
            assert any(line == b": ping\n" for line in lines)
        connection.close()
        server.run(server.app.supervisor.was_abandoned())
        assert tasks_of(server) == tasks


def test_disconnect_in_the_middle_of_the_request_starts_no_turn(
    server: LiveServer, access_log: list[Any], server_log: list[Any]
) -> None:
    tasks = tasks_of(server)
    with server.socket() as connection:
        connection.sendall(f"{HEAD}Content-Length: 1000\r\n\r\n{{".encode())
        server.run(_tasks_reach(tasks + 1))
    server.run(_tasks_reach(tasks))
    assert [fields_of(record)["status"] for record in access_log] == [499]
    assert server.app.supervisor.turns == []
    assert server_log == []


async def _tasks_reach(count: int) -> None:
    async with asyncio.timeout(seconds(1)):
        while len(asyncio.all_tasks()) != count:  # noqa: ASYNC110 - there is no event for the end of a server's task
            await asyncio.sleep(0.001)


def test_fifty_simultaneous_disconnects_leave_no_tasks(server: LiveServer) -> None:
    tasks = tasks_of(server)
    server.app.supervisor.plays(TextDelta("Hel"), asyncio.Event())
    connections = [socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) for _ in range(50)]
    for number, connection in enumerate(connections):
        connection.sendall(request(stream=number % 2 == 0))
    server.run(server.app.supervisor.runs(50))
    for connection in connections:
        connection.close()
    server.run(_tasks_reach(tasks))
    assert server.app.supervisor.running == 0


def test_pipelined_request_is_not_a_disconnect(server: LiveServer) -> None:
    gate = asyncio.Event()
    server.app.supervisor.plays(gate, *says("one"))
    with server.socket() as connection:
        connection.sendall(request() + b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        server.run(server.app.supervisor.runs())
        server.open(gate)
        with connection.makefile("rb") as answers:
            body = answers.read()
    assert body.count(b"HTTP/1.1 200 OK") == 2
    assert body.index(b'"content":"one"') < body.index(b'"service":"polyant"')
