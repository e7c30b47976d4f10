"""Abandoned and timed-out turns stop everything they started."""

import asyncio
import gc
from collections.abc import AsyncGenerator
from typing import Any

import msgspec
import pytest

from polyant.domain.chat import SupervisorEvent, ToolFinished, ToolStarted
from polyant.domain.errors import TurnTimeoutError
from polyant.domain.mcp_servers import McpServer
from polyant.domain.tools import ToolContext
from polyant.testing.fakes import FakeStep
from polyant.testing.manual_clock import ManualClock
from polyant.testing.supervisor_duties import ANSWER
from polyant.testing.supervisor_events import events_of, text_in
from support.logs import collected, fields_of
from support.patience import seconds
from support.tool_loop import ToolLoop

OVER_AT_ONCE = seconds(1)


class UncancellableTool:
    """A tool that ignores cancellation until the test releases it."""

    def __init__(self) -> None:
        self.cancelled = 0
        self.began = asyncio.Event()
        self.released = asyncio.Event()
        self.over = asyncio.Event()

    async def __call__(self, _: object, __: ToolContext) -> str:
        self.began.set()
        while not self.released.is_set():
            try:
                await self.released.wait()
            except asyncio.CancelledError:
                self.cancelled += 1
        self.over.set()
        return "at last"


async def abandon_once(events: AsyncGenerator[SupervisorEvent, None], begun: Any) -> None:
    """Cancels the consumer of the events after `begun`, and returns once it has finished."""
    task = asyncio.create_task(events_of(events))
    await begun
    task.cancel()
    async with asyncio.timeout(OVER_AT_ONCE):
        await asyncio.wait([task])
    assert task.cancelled()


async def test_turn_ends_within_a_second_although_a_tool_ignores_cancellation(loop: ToolLoop) -> None:
    uncancellable = UncancellableTool()
    loop.add_tool("uncancellable", uncancellable)
    events = loop.supervisor(loop.model([FakeStep(tools=("hang", "uncancellable"))])).run(loop.turn)
    with collected("polyant.turn") as records:
        await abandon_once(events, uncancellable.began.wait())
    assert uncancellable.cancelled == 1
    assert loop.activity.running == 1  # the tool that ignores cancellation
    assert [fields_of(record)["tool"] for record in records if "ignores cancellation" in record.getMessage()] == [
        "uncancellable"
    ]
    uncancellable.released.set()
    await uncancellable.over.wait()
    assert loop.activity.running == 0


async def test_timed_out_tool_that_ignores_cancellation_delays_nothing(loop: ToolLoop) -> None:
    uncancellable = UncancellableTool()
    loop.add_tool("uncancellable", uncancellable)
    loop.limit(tool_seconds=0.05)
    async with asyncio.timeout(2 * OVER_AT_ONCE):
        events, _ = await loop.run([FakeStep(tools=("uncancellable",)), ANSWER])
    assert text_in(events) == "It is so."
    uncancellable.released.set()
    await uncancellable.over.wait()


async def test_timed_out_tool_finishes_its_cleanup_before_the_next_model_call(loop: ToolLoop) -> None:
    cleaned = asyncio.Event()

    async def tidy(_: object, __: ToolContext) -> str:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned.set()
        return ""

    def play(request: Any) -> FakeStep:
        assert cleaned.is_set() or len(request.messages) == 1
        return ANSWER if cleaned.is_set() else FakeStep(tools=("tidy",))

    loop.add_tool("tidy", tidy)
    loop.limit(tool_seconds=0.05)
    events, _ = await loop.run(play)
    assert text_in(events) == "It is so."


async def test_tool_does_not_run_longer_than_the_turn(loop: ToolLoop) -> None:
    loop.limit(tool_seconds=60, turn_seconds=0.05)
    with pytest.raises(TurnTimeoutError):
        await loop.run([FakeStep(tools=("hang", "answer"))])
    assert loop.activity.running == 0


async def test_tool_receives_the_earlier_deadline(loop: ToolLoop) -> None:
    received: list[float] = []

    async def tell(_: object, context: ToolContext) -> str:
        received.append(context.deadline)
        return ""

    loop.clock = ManualClock()
    loop.add_tool("tell", tell)
    for limits in ({"turn_seconds": 20, "tool_seconds": 30}, {"turn_seconds": 300, "tool_seconds": 30}):
        loop.limit(**limits)
        await loop.run([FakeStep(tools=("tell",)), ANSWER])
    assert received == [20.0, 30.0]


async def test_turn_abandoned_between_start_and_end_leaves_nothing_running(loop: ToolLoop) -> None:
    events = loop.supervisor(loop.model([FakeStep(tools=("answer", "hang", "hang"))])).run(loop.turn)
    async for event in events:
        if isinstance(event, ToolFinished):
            break
    await events.aclose()
    assert loop.activity.running == 0


async def test_hundred_turns_abandoned_during_tool_calls_leave_no_task_and_no_open_server(loop: ToolLoop) -> None:
    server = McpServer(name="crm", url="http://crm.example/", tools=("*",))
    loop.instance = msgspec.structs.replace(loop.instance, mcp_servers=(server,))
    supervisor = loop.supervisor(loop.model([FakeStep(text=("Hm",), tools=("hang", "hang"))]))
    before = asyncio.all_tasks()
    turns = [asyncio.create_task(events_of(supervisor.run(loop.turn))) for _ in range(100)]
    await loop.activity.hanging(200)
    assert loop.servers.open_now == 100
    for turn in turns:
        turn.cancel()
    async with asyncio.timeout(OVER_AT_ONCE):
        await asyncio.wait(turns)
    del turns
    gc.collect()
    assert asyncio.all_tasks() == before
    assert (loop.activity.running, loop.servers.open_now) == (0, 0)


async def test_starts_are_reported_before_ends(loop: ToolLoop) -> None:
    events, _ = await loop.run([FakeStep(tools=("answer", "answer")), ANSWER])
    kinds = [type(event) for event in events if isinstance(event, ToolStarted | ToolFinished)]
    assert kinds == [ToolStarted, ToolStarted, ToolFinished, ToolFinished]
