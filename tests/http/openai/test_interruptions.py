"""Turns that end from outside: the client goes away, the server is full, the server stops."""

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


# The client goes away


async def leaves(app: App, exchange: Exchange) -> None:
    """Lets the client go, and returns when its turn is over."""
    exchange.disconnect()
    await app.supervisor.was_abandoned()
    await exchange.over()
    assert app.supervisor.running == 0


@STREAMED
async def test_before_the_first_byte(app: App, access_log: list[logging.LogRecord], *, stream: bool) -> None:
    app.supervisor.plays(asyncio.Event())
    exchange = app.start_chat(stream=stream)
    await app.supervisor.runs()
    await leaves(app, exchange)
    assert exchange.sent == []
    assert [fields_of(record)["status"] for record in access_log] == [499]


@STREAMED
async def test_while_tools_run(app: App, access_log: list[logging.LogRecord], *, stream: bool) -> None:
    app.supervisor.plays(TextDelta("Let me see."), TOOL_STARTED, asyncio.Event())
    exchange = app.start_chat(stream=stream)
    await app.supervisor.runs()
    await leaves(app, exchange)
    assert [fields_of(record)["status"] for record in access_log] == [499]


async def test_in_mid_stream(app: App, access_log: list[logging.LogRecord]) -> None:
    app.supervisor.plays(TextDelta("Hel"), asyncio.Event())
    exchange = app.start_chat(stream=True)
    for _ in range(3):
        await exchange.next()
    await leaves(app, exchange)
    assert [fields_of(record)["status"] for record in access_log] == [499]


async def test_while_the_head_went_out_before_the_first_event() -> None:
    async with serving(responses=ResponseSettings(stream_head=0.001)) as app:
        app.supervisor.plays(asyncio.Event())
        exchange = app.start_chat(stream=True)
        await exchange.next()
        await leaves(app, exchange)


async def test_while_it_does_not_read(app: App) -> None:
    gate = asyncio.Event()
    app.supervisor.plays(TextDelta("a"), gate, TextDelta("b"), asyncio.Event())
    exchange = app.start_chat(stream=True)
    for _ in range(3):
        await exchange.next()
    exchange.writable.clear()
    gate.set()
    await settle()
    assert app.supervisor.yielded == 1
    await leaves(app, exchange)


async def test_before_the_turn_began(app: App, access_log: list[logging.LogRecord]) -> None:
    app.supervisor.plays(asyncio.Event())
    exchange = app.start_chat()
    exchange.disconnect()
    await exchange.over()
    assert app.supervisor.running == 0
    assert [fields_of(record)["status"] for record in access_log] == [499]


async def test_while_it_sends_its_request(
    app: App, access_log: list[logging.LogRecord], fault_log: list[logging.LogRecord]
) -> None:
    headers = {"content-type": "application/json"}
    exchange = app.start("POST", CHAT, body=chat_body()[:10], headers=headers, complete=False)
    await asyncio.sleep(0)
    exchange.disconnect()
    await exchange.over()
    assert [fields_of(record)["status"] for record in access_log] == [499]
    assert fault_log == []
    assert app.supervisor.turns == []


async def test_a_client_that_leaves_is_nothing_for_the_log_of_faults(
    app: App, fault_log: list[logging.LogRecord]
) -> None:
    app.supervisor.plays(TextDelta("Hel"), asyncio.Event())
    exchange = app.start_chat(stream=True)
    await exchange.next()
    await leaves(app, exchange)
    assert fault_log == []


@STREAMED
async def test_the_request_ends_only_when_the_turn_has_cleaned_up(app: App, *, stream: bool) -> None:
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


async def test_a_client_that_leaves_while_a_failed_turn_cleans_up_is_no_fault(
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


async def test_a_cancellation_from_elsewhere_is_passed_on(app: App) -> None:
    app.supervisor.plays(asyncio.Event())
    exchange = app.start_chat()
    await app.supervisor.runs()
    exchange.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await exchange.task
    assert app.supervisor.running == 0


async def test_other_turns_go_on(app: App) -> None:
    gate = asyncio.Event()
    app.supervisor.plays(gate, *says("still here"))
    leaving, staying = app.start_chat(stream=True), app.start_chat(stream=True)
    await app.supervisor.runs(2)
    leaving.disconnect()
    await leaving.over()
    assert app.supervisor.running == 1
    gate.set()
    assert b"still here" in (await staying.whole()).body


async def test_a_hundred_clients_that_leave_leave_nothing_behind(app: App) -> None:
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
async def test_one_turn_more_than_may_run_is_refused_with_retry_after(*, stream: bool) -> None:
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


async def is_left(app: App) -> None:
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


@pytest.mark.parametrize("happens", [ends, fails, fails_in_mid_stream, is_left, is_cancelled])
async def test_a_slot_is_free_again_however_its_turn_ended(happens: Callable[[App], Any]) -> None:
    async with serving(max_turns=1) as app:
        await happens(app)
        app.supervisor.plays(*says("Hi"))
        assert (await app.chat()).status == 200


async def test_what_is_refused_takes_no_slot() -> None:
    async with serving(max_turns=1) as app:
        assert [(await app.post(b"{")).status for _ in range(3)] == [400] * 3
        assert (await app.chat()).status == 200
