"""The timing of streams: the head, failures before and after it, and heartbeats."""

import asyncio
from typing import Any

import pytest

from polyant.domain.chat import TextDelta
from polyant.domain.errors import TurnTimeoutError, UnavailableError
from polyant.http.openai.responses import ResponseSettings
from support.app import App, serving
from support.asgi import settle
from support.chunks import (
    DONE,
    FAILURE,
    FAILURE_EVENT,
    FINISH,
    PING,
    ROLE,
    bodies_of,
    chunk,
    content,
    head_of,
    texts_in,
)
from support.logs import fields_of
from support.patience import seconds
from support.scripted_supervisor import TOOL_FINISHED, TOOL_STARTED, says

LONG = 3_600.0
HEARTBEAT = seconds(0.1)


# The status line is delayed


async def test_nothing_is_sent_before_the_first_event() -> None:
    gate = asyncio.Event()
    async with serving(responses=ResponseSettings(stream_head=LONG)) as app:
        app.supervisor.plays(gate, *says("Hi"))
        exchange = app.start_chat(stream=True)
        await app.supervisor.runs()
        await settle()
        assert exchange.sent == []
        gate.set()
        assert texts_in(await bodies_of(exchange)) == ["Hi"]


@pytest.mark.parametrize(
    ("error", "status"),
    [(FAILURE, 502), (TurnTimeoutError(), 504), (UnavailableError("No key"), 503), (KeyError("x"), 500)],
)
async def test_failure_before_the_first_event_has_its_own_status(app: App, error: Exception, status: int) -> None:
    gate = asyncio.Event()
    app.supervisor.plays(gate, error)
    exchange = app.start_chat(stream=True)
    await app.supervisor.runs()
    gate.set()
    response = await exchange.whole()
    assert (response.status, response.json["statusCode"]) == (status, status)
    assert response.header("content-type") == "application/json"


async def test_head_is_sent_at_the_deadline_and_a_later_failure_is_an_event() -> None:
    gate = asyncio.Event()
    async with serving(responses=ResponseSettings(stream_head=0.01)) as app:
        app.supervisor.plays(gate, FAILURE)
        exchange = app.start_chat(stream=True)
        assert (await exchange.next())["status"] == 200
        assert head_of(await exchange.next_body())
        gate.set()
        bodies = await bodies_of(exchange)
    assert b"".join(bodies[1:]) == FAILURE_EVENT + DONE


async def test_early_head_is_sent_once() -> None:
    gate = asyncio.Event()
    async with serving(responses=ResponseSettings(stream_head=0.01)) as app:
        app.supervisor.plays(gate, *says("Hi"))
        exchange = app.start_chat(stream=True)
        await exchange.next()
        gate.set()
        bodies = await bodies_of(exchange)
    head = head_of(bodies[0])
    assert b"".join(bodies) == chunk(head, ROLE) + chunk(head, content("Hi")) + chunk(head, FINISH) + DONE


async def test_failure_while_the_head_is_being_sent_follows_it() -> None:
    gate = asyncio.Event()
    async with serving(responses=ResponseSettings(stream_head=0.001)) as app:
        app.supervisor.plays(gate, FAILURE)
        exchange = app.start_chat(stream=True)
        exchange.writable.clear()
        await exchange.blocked.wait()  # the head is due, and can't be sent
        gate.set()
        await settle()
        exchange.writable.set()
        bodies = await bodies_of(exchange)
    assert head_of(bodies[0])
    assert b"".join(bodies[1:]) == FAILURE_EVENT + DONE


# Failures in mid-stream


async def test_failure_in_mid_stream_is_one_event_then_done_without_a_stop(app: App) -> None:
    app.supervisor.plays(TextDelta("Hel"), FAILURE)
    bodies = await bodies_of(app.start_chat(stream=True))
    head = head_of(bodies[0])
    assert b"".join(bodies) == chunk(head, ROLE) + chunk(head, content("Hel")) + FAILURE_EVENT + DONE


@pytest.mark.parametrize("error", [ValueError("sk-secret"), TimeoutError("sk-secret"), OSError("sk-secret")])
async def test_unexpected_error_in_mid_stream_shows_no_details_and_is_logged(
    app: App, error: Exception, error_log: list[Any]
) -> None:
    app.supervisor.plays(TextDelta("Hel"), error)
    response = await app.chat(stream=True)
    event = b'data: {"error":{"statusCode":500,"message":"Internal server error","error":"Internal Server Error"}}\n\n'
    assert response.body.endswith(event + DONE)
    assert b"sk-secret" not in response.body
    (record,) = error_log
    assert record.exc_info[1] is error
    assert fields_of(record)["request_id"] == response.header("x-request-id")


async def test_invalid_unicode_from_the_model_ends_the_stream_and_the_turn(app: App) -> None:
    app.supervisor.plays(*says("ok", "\ud800", "never"))
    body = (await app.chat(stream=True)).body
    assert b'{"error":{"statusCode":500' in body
    assert b"never" not in body
    assert app.supervisor.running == 0


# Heartbeats


async def test_silent_stream_sends_comments_repeatedly() -> None:
    gate = asyncio.Event()
    async with serving(responses=ResponseSettings(heartbeat=0.02)) as app:
        app.supervisor.plays(TextDelta("a"), TOOL_STARTED, gate, TOOL_FINISHED, *says("b"))
        exchange = app.start_chat(stream=True)
        await exchange.next()
        head = head_of(await exchange.next_body())
        assert await exchange.next_body() == chunk(head, content("a"))
        assert [await exchange.next_body() for _ in range(3)] == [PING] * 3
        gate.set()
        bodies = [body for body in await bodies_of(exchange) if body != PING]
    assert b"".join(bodies[2:]) == chunk(head, content("b")) + chunk(head, FINISH) + DONE


async def test_heartbeats_follow_an_early_head() -> None:
    async with serving(responses=ResponseSettings(stream_head=0.01, heartbeat=0.02)) as app:
        app.supervisor.plays(asyncio.Event())
        exchange = app.start_chat(stream=True)
        await exchange.next()
        assert head_of(await exchange.next_body())
        assert [await exchange.next_body() for _ in range(2)] == [PING] * 2
        exchange.disconnect()
        await exchange.over()


async def test_heartbeat_interval_is_independent_of_the_head_deadline() -> None:
    gate = asyncio.Event()
    async with serving(responses=ResponseSettings(stream_head=LONG, heartbeat=0.02)) as app:
        app.supervisor.plays(gate, TextDelta("a"), asyncio.Event())
        exchange = app.start_chat(stream=True)
        await app.supervisor.runs()
        await settle()
        gate.set()
        for _ in range(3):
            await exchange.next()
        assert await exchange.next_body() == PING
        exchange.disconnect()
        await exchange.over()


async def test_heartbeat_is_sent_only_after_an_interval_without_output() -> None:
    gate = asyncio.Event()
    async with serving(responses=ResponseSettings(heartbeat=HEARTBEAT)) as app:
        app.supervisor.plays(TextDelta("a"), gate, TextDelta("b"), asyncio.Event())
        exchange = app.start_chat(stream=True)
        for _ in range(4):
            await exchange.next()
        assert exchange.sent[-1]["body"] == PING
        await asyncio.sleep(HEARTBEAT / 2)  # half the time to the next one
        gate.set()
        assert b'"b"' in await exchange.next_body()
        assert await exchange.next_body() == PING
        assert exchange.sent_at[-1] - exchange.sent_at[-2] >= HEARTBEAT
        exchange.disconnect()
        await exchange.over()


async def test_no_heartbeat_is_sent_before_the_head() -> None:
    gate = asyncio.Event()
    async with serving(responses=ResponseSettings(stream_head=0.05, heartbeat=0.001)) as app:
        app.supervisor.plays(gate)
        exchange = app.start_chat(stream=True)
        assert (await exchange.next())["type"] == "http.response.start"
        exchange.disconnect()
        await exchange.over()


async def test_continuous_stream_has_no_heartbeats() -> None:
    async with serving(responses=ResponseSettings(heartbeat=LONG)) as app:
        app.supervisor.plays(*says(*"abc"))
        assert PING not in (await app.chat(stream=True)).body
