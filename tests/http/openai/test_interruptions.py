"""Turns that are interrupted: the client disconnects, the server is full, the server stops."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from polyant.domain.chat import TextDelta
from polyant.domain.errors import ProviderError, ProviderFailure
from polyant.http.openai.responses import ResponseSettings
from support.app import CHAT, App, chat_body, serving
from support.asgi import Exchange, settle
from support.logs import fields_of
from support.scripted_supervisor import TOOL_STARTED, says

STREAMED = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


@pytest.fixture(autouse=True)
async def no_task_is_left(app: App) -> AsyncIterator[None]:
    before = asyncio.all_tasks() - {asyncio.current_task()}
    yield
    await settle()
    assert asyncio.all_tasks() - {asyncio.current_task()} == before


# The client disconnects


async def disconnect(app: App, exchange: Exchange) -> None:
    """Disconnects the client, and returns when its turn has ended."""
    exchange.disconnect()
    await app.supervisor.was_abandoned()
    await exchange.over()
    assert app.supervisor.running == 0


@STREAMED
async def test_disconnect_before_the_first_byte_abandons_the_turn(
    app: App, access_log: list[logging.LogRecord], *, stream: bool
) -> None:
    app.supervisor.plays(asyncio.Event())
    exchange = app.start_chat(stream=stream)
    await app.supervisor.runs()
    await disconnect(app, exchange)
    assert exchange.sent == []
    assert [fields_of(record)["status"] for record in access_log] == [499]


@STREAMED
async def test_disconnect_while_tools_run_abandons_the_turn(
    app: App, access_log: list[logging.LogRecord], *, stream: bool
) -> None:
    app.supervisor.plays(TextDelta("Let me see."), TOOL_STARTED, asyncio.Event())
    exchange = app.start_chat(stream=stream)
    await app.supervisor.runs()
    await disconnect(app, exchange)
    assert [fields_of(record)["status"] for record in access_log] == [499]


async def test_disconnect_in_mid_stream_abandons_the_turn(app: App, access_log: list[logging.LogRecord]) -> None:
    app.supervisor.plays(TextDelta("Hel"), asyncio.Event())
    exchange = app.start_chat(stream=True)
    for _ in range(3):
        await exchange.next()
    await disconnect(app, exchange)
    assert [fields_of(record)["status"] for record in access_log] == [499]


async def test_disconnect_after_an_early_head_abandons_the_turn() -> None:
    async with serving(responses=ResponseSettings(stream_head=0.001)) as app:
        app.supervisor.plays(asyncio.Event())
        exchange = app.start_chat(stream=True)
        await exchange.next()
        await disconnect(app, exchange)


async def test_disconnect_of_a_stalled_reader_abandons_the_turn(app: App) -> None:
    gate = asyncio.Event()
    app.supervisor.plays(TextDelta("a"), gate, TextDelta("b"), asyncio.Event())
    exchange = app.start_chat(stream=True)
    for _ in range(3):
        await exchange.next()
    exchange.writable.clear()
    gate.set()
    await settle()
    assert app.supervisor.yielded == 1
    await disconnect(app, exchange)


async def test_disconnect_before_the_turn_starts_no_turn(app: App, access_log: list[logging.LogRecord]) -> None:
    app.supervisor.plays(asyncio.Event())
    exchange = app.start_chat()
    exchange.disconnect()
    await exchange.over()
    assert app.supervisor.running == 0
    assert [fields_of(record)["status"] for record in access_log] == [499]


async def test_disconnect_while_sending_the_request_starts_no_turn(
    app: App, access_log: list[logging.LogRecord], error_log: list[logging.LogRecord]
) -> None:
    headers = {"content-type": "application/json"}
    exchange = app.start("POST", CHAT, body=chat_body()[:10], headers=headers, complete=False)
    await asyncio.sleep(0)
    exchange.disconnect()
    await exchange.over()
    assert [fields_of(record)["status"] for record in access_log] == [499]
    assert error_log == []
    assert app.supervisor.turns == []


async def test_disconnect_is_not_logged_as_an_error(app: App, error_log: list[logging.LogRecord]) -> None:
    app.supervisor.plays(TextDelta("Hel"), asyncio.Event())
    exchange = app.start_chat(stream=True)
    await exchange.next()
    await disconnect(app, exchange)
    assert error_log == []


@STREAMED
async def test_request_ends_after_the_turn_has_cleaned_up(app: App, *, stream: bool) -> None:
    app.supervisor.plays(asyncio.Event())
    app.supervisor.cleanup = asyncio.Event()
    exchange = app.start_chat(stream=stream)
    await app.supervisor.runs()
    exchange.disconnect()
    await settle()
    assert not exchange.task.done()
    app.supervisor.cleanup.set()
    await exchange.over()
    assert app.supervisor.running == 0


async def test_disconnect_during_the_clean_up_of_a_failed_turn_is_not_an_error(
    app: App, access_log: list[logging.LogRecord]
) -> None:
    app.supervisor.plays(*says("a", "\ud800"))
    app.supervisor.cleanup = asyncio.Event()
    exchange = app.start_chat(stream=True)
    for _ in range(3):
        await exchange.next()
    exchange.disconnect()
    await exchange.over()
    assert app.supervisor.running == 0
    assert [fields_of(record)["status"] for record in access_log] == [499]


async def test_external_cancellation_is_propagated(app: App) -> None:
    app.supervisor.plays(asyncio.Event())
    exchange = app.start_chat()
    await app.supervisor.runs()
    exchange.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await exchange.task
    assert app.supervisor.running == 0


async def test_disconnect_does_not_affect_other_turns(app: App) -> None:
    gate = asyncio.Event()
    app.supervisor.plays(gate, *says("still here"))
    leaving, staying = app.start_chat(stream=True), app.start_chat(stream=True)
    await app.supervisor.runs(2)
    leaving.disconnect()
    await leaving.over()
    assert app.supervisor.running == 1
    gate.set()
    assert b"still here" in (await staying.whole()).body


async def test_hundred_disconnects_leave_no_tasks_behind(app: App) -> None:
    app.supervisor.plays(TextDelta("Hel"), asyncio.Event())
    exchanges = [app.start_chat(stream=number % 2 == 0) for number in range(100)]
    await app.supervisor.runs(100)
    for exchange in exchanges:
        exchange.disconnect()
    for exchange in exchanges:
        await exchange.over()
    assert app.supervisor.running == 0


# The server is full


@STREAMED
async def test_turn_beyond_the_limit_is_rejected_with_retry_after(*, stream: bool) -> None:
    gate = asyncio.Event()
    async with serving(max_turns=2) as app:
        app.supervisor.plays(gate, *says("Hi"))
        running = [app.start_chat(), app.start_chat(stream=True)]
        await app.supervisor.runs(2)
        refused = await app.chat(stream=stream)
        assert (refused.status, refused.json["message"]) == (503, "Server is busy")
        assert refused.header("retry-after") == "1"
        assert len(app.supervisor.turns) == 2
        gate.set()
        assert [(await exchange.whole()).status for exchange in running] == [200, 200]
        assert (await app.chat(stream=stream)).status == 200


async def fails(app: App) -> None:
    app.supervisor.plays(ProviderError("openai", ProviderFailure.AUTH))
    assert (await app.chat()).status == 502


async def fails_in_mid_stream(app: App) -> None:
    app.supervisor.plays(TextDelta("a"), KeyError("x"))
    assert (await app.chat(stream=True)).status == 200


async def is_abandoned(app: App) -> None:
    app.supervisor.plays(TextDelta("a"), asyncio.Event())
    exchange = app.start_chat(stream=True)
    await exchange.next()
    exchange.disconnect()
    await exchange.over()


async def is_cancelled(app: App) -> None:
    app.supervisor.plays(asyncio.Event())
    exchange = app.start_chat()
    await app.supervisor.runs()
    exchange.task.cancel()
    await asyncio.wait([exchange.task])


async def ends(app: App) -> None:
    assert (await app.chat()).status == 200


@pytest.mark.parametrize("happens", [ends, fails, fails_in_mid_stream, is_abandoned, is_cancelled])
async def test_slot_is_released_however_the_turn_ends(happens: Callable[[App], Any]) -> None:
    async with serving(max_turns=1) as app:
        await happens(app)
        app.supervisor.plays(*says("Hi"))
        assert (await app.chat()).status == 200


async def test_rejected_request_takes_no_slot() -> None:
    async with serving(max_turns=1) as app:
        assert [(await app.post(b"{")).status for _ in range(3)] == [400] * 3
        assert (await app.chat()).status == 200
