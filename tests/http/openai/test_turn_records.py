"""The record of a turn, however it ends."""

import asyncio
from typing import Any

import pytest

from polyant.domain.chat import StepFinished, TextDelta, ToolFinished, ToolStarted, TurnFinished, Usage
from polyant.domain.errors import (
    ProviderError,
    ProviderFailure,
    ServerShuttingDownError,
    TurnTimeoutError,
    UnavailableError,
)
from polyant.domain.instances import Slug
from polyant.domain.turn_records import TurnOutcome, TurnRecord
from polyant.testing.manual_clock import START
from support.app import App, serving
from support.asgi import settle
from support.scripted_supervisor import TURN_FINISHED, says

DEMO = Slug("demo-bot")
FAILED_TOOL = (
    ToolStarted(call_id="2", name="look_up"),
    ToolFinished(call_id="2", name="look_up", milliseconds=5, ok=False),
)
OK_TOOL = (
    ToolStarted(call_id="1", name="calculate"),
    ToolFinished(call_id="1", name="calculate", milliseconds=5, ok=True),
)


async def turns_of(app: App) -> tuple[TurnRecord, ...]:
    return (await app.management.turn_log.list(DEMO, limit=100)).turns


@pytest.mark.parametrize("stream", [False, True])
async def test_finished_turn_is_recorded_with_all_metrics(app: App, *, stream: bool) -> None:
    gates = [asyncio.Event() for _ in range(3)]
    finished = TurnFinished(usage=Usage(70, 30), steps=3, milliseconds=1)
    app.supervisor.plays(
        *(gates[0], *OK_TOOL, *FAILED_TOOL, gates[1], TextDelta("Hel"), gates[2], TextDelta("lo"), finished)
    )
    exchange = app.start_chat(stream=stream)
    await app.supervisor.runs()
    for gate in gates:
        app.clock.advance(0.25)
        gate.set()
        await settle()
    await exchange.whole()
    (record,) = await turns_of(app)
    assert record == TurnRecord(
        slug=DEMO,
        provider=record.provider,
        request_id=record.request_id,
        at=START,
        outcome=TurnOutcome.FINISHED,
        milliseconds=750,
        first_token_milliseconds=500,
        steps=3,
        tool_calls=2,
        failed_tool_calls=1,
        prompt_tokens=70,
        completion_tokens=30,
        streamed=stream,
    )


async def test_turn_is_found_by_its_request_id(app: App) -> None:
    response = await app.chat()
    (record,) = await turns_of(app)
    assert record.request_id == response.header("x-request-id")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("text", [(), (TextDelta("Hel"),)])
@pytest.mark.parametrize(
    ("error", "outcome", "reason"),
    [
        (ProviderError("vendor", ProviderFailure.AUTH), TurnOutcome.FAILED, "The model provider failed to answer"),
        (ProviderError("vendor", ProviderFailure.TIMEOUT), TurnOutcome.TIMED_OUT, "did not answer in time"),
        (TurnTimeoutError(), TurnOutcome.TIMED_OUT, "The turn did not finish in time"),
        (UnavailableError("no key", hint="Set one"), TurnOutcome.FAILED, "no key. Set one"),
        (UnavailableError("x" * 301), TurnOutcome.FAILED, f"{'x' * 300}…"),
        (ServerShuttingDownError(), TurnOutcome.SHUTDOWN, None),
        (ZeroDivisionError("sk-secret"), TurnOutcome.FAILED, "An internal error. The log has its details"),
    ],
)
async def test_failed_turn_is_recorded_with_the_known_metrics(
    app: App, error: Exception, outcome: TurnOutcome, reason: str | None, text: tuple[Any, ...], *, stream: bool
) -> None:
    first, second = (
        StepFinished(usage=Usage(3, 1), steps=1, milliseconds=1),
        StepFinished(usage=Usage(7, 3), steps=2, milliseconds=1),
    )
    app.supervisor.plays(first, *OK_TOOL, second, *text, error)
    await app.chat(stream=stream)
    (record,) = await turns_of(app)
    assert (record.outcome, record.steps, record.tool_calls) == (outcome, 2, 1)
    assert (record.prompt_tokens, record.completion_tokens) == (7, 3)
    assert (record.first_token_milliseconds is None) is (not text)
    assert (reason or "") in (record.error or "")
    assert (record.error is None) is (reason is None)
    assert "secret" not in (record.error or "")


@pytest.mark.parametrize("stream", [False, True])
async def test_turn_of_a_disconnected_client_is_recorded_as_abandoned(app: App, *, stream: bool) -> None:
    app.supervisor.plays(TextDelta("Hel"), asyncio.Event())
    exchange = app.start_chat(stream=stream)
    await app.supervisor.runs()
    exchange.disconnect()
    await exchange.over()
    assert [record.outcome for record in await turns_of(app)] == [TurnOutcome.ABANDONED]


async def test_rejected_request_is_not_recorded() -> None:
    async with serving(max_turns=1) as app:
        await app.add("locked-bot", key="sk-of-the-locked-bot")
        for fields in ({"temperature": 9}, {"model": "nobody"}, {"model": "locked-bot"}):
            assert (await app.chat(**fields)).status in {400, 401}
        gate = asyncio.Event()
        app.supervisor.plays(gate, TURN_FINISHED)
        running = app.start_chat()
        await app.supervisor.runs()
        assert (await app.chat()).status == 503
        gate.set()
        await running.whole()
        assert [record.outcome for record in await turns_of(app)] == [TurnOutcome.FINISHED]


async def test_every_turn_is_recorded_once(app: App) -> None:
    app.supervisor.plays(*says("a", "b", "c"))
    for stream in (True, False, True):
        await app.chat(stream=stream)
    assert [record.streamed for record in await turns_of(app)] == [True, False, True]
