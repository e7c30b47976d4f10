"""Contract of the port Supervisor."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Protocol

import msgspec
import pytest

from polyant.domain.chat import (
    AssistantMessage,
    ModelRequest,
    ProviderData,
    StepFinished,
    SupervisorEvent,
    TextDelta,
    ToolCall,
    ToolFinished,
    ToolStarted,
    Turn,
    TurnFinished,
    Usage,
)
from polyant.domain.errors import ProviderError, ProviderFailure, TurnTimeoutError, UnavailableError
from polyant.domain.ports.supervisor import Supervisor
from polyant.testing.fakes import FakeStep

OVER_AT_ONCE = 1.0

ASK_TOOLS = FakeStep(text=("Let me ", "see."), tools=("answer", "fail"), usage=Usage(10, 1))
ANSWER = FakeStep(text=("It is ", "so."), usage=Usage(20, 2))


class SupervisorUnderTest(Protocol):
    """A supervisor, and the hand that moves the model and the tools behind it."""

    @property
    def turn(self) -> Turn:
        """A turn that can be run, of an instance with the tools `answer`, `fail` and `hang`."""

    @property
    def running(self) -> int:
        """How many model calls and tools run now."""

    def turn_ending_in(self, seconds: float) -> Turn:
        """Returns the same turn with a deadline."""

    @property
    def requests(self) -> Sequence[ModelRequest]:
        """The requests that the model has received."""

    def playing(self, *steps: FakeStep) -> Supervisor:
        """Returns the supervisor; its model takes one step a call.

        Of the tools, `answer` has a result, `fail` raises an exception, and `hang` never ends.
        """

    async def hanging(self, count: int = 1) -> None:
        """Returns once so many model calls and tools hang."""

    def unusable(self) -> Mapping[str, Turn]:
        """Returns turns that can't be run, by why: `unknown provider`, `missing key` and `unreadable key`."""


async def events_of(events: AsyncGenerator[SupervisorEvent, None]) -> list[SupervisorEvent]:
    """Returns all events of a turn."""
    async with aclosing(events):
        return [event async for event in events]


class SupervisorContract:
    """What every Supervisor does; a subclass gives one of its kind."""

    @pytest.fixture
    def supervised(self) -> SupervisorUnderTest:
        raise NotImplementedError("return the supervisor under test")

    def test_it_has_the_shape_of_the_port(self, supervised: SupervisorUnderTest) -> None:
        assert isinstance(supervised.playing(ANSWER), Supervisor)

    async def test_text_comes_as_it_is_said(self, supervised: SupervisorUnderTest) -> None:
        supervisor = supervised.playing(FakeStep(text=("Hel", "lo"), hangs=True))
        turn = msgspec.structs.replace(supervised.turn, stream=True)
        async with aclosing(supervisor.run(turn)) as events:
            assert [await anext(events), await anext(events)] == [TextDelta("Hel"), TextDelta("lo")]

    async def test_a_tool_s_start_comes_while_it_runs(self, supervised: SupervisorUnderTest) -> None:
        supervisor = supervised.playing(FakeStep(tools=("hang",)))
        async with aclosing(supervisor.run(supervised.turn)) as events:
            while not isinstance(started := await anext(events), ToolStarted):
                pass
        assert started.name == "hang"

    async def test_the_cost_so_far_comes_after_a_model_call_and_before_its_tools(
        self, supervised: SupervisorUnderTest
    ) -> None:
        events = await events_of(supervised.playing(ASK_TOOLS, ANSWER).run(supervised.turn))
        told = [event for event in events if isinstance(event, StepFinished | ToolStarted)]
        assert [(event.usage, event.steps) if isinstance(event, StepFinished) else event.name for event in told] == [
            *((Usage(10, 1), 1), *ASK_TOOLS.tools),
            (Usage(30, 3), 2),
        ]

    async def test_a_tool_s_end_comes_while_others_run(self, supervised: SupervisorUnderTest) -> None:
        supervisor = supervised.playing(FakeStep(tools=("hang", "answer")))
        async with aclosing(supervisor.run(supervised.turn)) as events:
            while not isinstance(event := await anext(events), ToolFinished):
                pass
        assert event.name == "answer"

    async def test_the_last_event_is_the_one_that_says_that_the_turn_is_over(
        self, supervised: SupervisorUnderTest
    ) -> None:
        events = await events_of(supervised.playing(ASK_TOOLS, ANSWER).run(supervised.turn))
        assert [isinstance(event, TurnFinished) for event in events] == [False] * (len(events) - 1) + [True]

    async def test_the_turn_ends_with_the_sums_of_all_model_calls(self, supervised: SupervisorUnderTest) -> None:
        *_, finished = await events_of(supervised.playing(ASK_TOOLS, ASK_TOOLS, ANSWER).run(supervised.turn))
        assert isinstance(finished, TurnFinished)
        assert (finished.usage, finished.steps) == (Usage(40, 4), 3)
        assert finished.milliseconds >= 0

    async def test_the_answer_is_what_is_said_after_the_last_tool_started(
        self, supervised: SupervisorUnderTest
    ) -> None:
        events = await events_of(supervised.playing(ASK_TOOLS, ASK_TOOLS, ANSWER).run(supervised.turn))
        last_start = max(at for at, event in enumerate(events) if isinstance(event, ToolStarted))
        assert text_in(events[last_start:]) == "It is so."
        assert text_in(events[:last_start]) == "Let me see." * 2

    async def test_every_tool_that_starts_comes_to_its_end_well_or_not(self, supervised: SupervisorUnderTest) -> None:
        events = await events_of(supervised.playing(ASK_TOOLS, ANSWER).run(supervised.turn))
        started = {event.call_id: event.name for event in events if isinstance(event, ToolStarted)}
        finished = {event.call_id: event for event in events if isinstance(event, ToolFinished)}
        assert {call_id: event.name for call_id, event in finished.items()} == started
        assert {event.name: event.ok for event in finished.values()} == {"answer": True, "fail": False}

    async def test_closing_the_generator_ends_the_model_call(self, supervised: SupervisorUnderTest) -> None:
        turn = msgspec.structs.replace(supervised.turn, stream=True)
        events = supervised.playing(FakeStep(text=("Hel",), hangs=True)).run(turn)
        await anext(events)
        async with asyncio.timeout(OVER_AT_ONCE):
            await events.aclose()
        assert supervised.running == 0

    async def test_closing_the_generator_ends_all_tools(self, supervised: SupervisorUnderTest) -> None:
        events = supervised.playing(FakeStep(tools=("hang",) * 3)).run(supervised.turn)
        for _ in range(3):
            await anext(events)
        async with asyncio.timeout(OVER_AT_ONCE):
            await events.aclose()
        assert supervised.running == 0

    @pytest.mark.parametrize("step", [FakeStep(hangs=True), FakeStep(tools=("hang", "hang"))], ids=["model", "tools"])
    async def test_whoever_is_cancelled_while_it_waits_leaves_nothing_running(
        self, supervised: SupervisorUnderTest, step: FakeStep
    ) -> None:
        task = asyncio.create_task(events_of(supervised.playing(step).run(supervised.turn)))
        await supervised.hanging(len(step.tools) or 1)
        task.cancel()
        async with asyncio.timeout(OVER_AT_ONCE):
            await asyncio.wait([task])
        assert task.cancelled()
        assert supervised.running == 0

    async def test_provider_data_goes_back_with_the_message_and_the_calls_it_came_with(
        self, supervised: SupervisorUnderTest
    ) -> None:
        data = [_provider_data(name) for name in ("of the message", "of the call")]
        call = ToolCall(id="call_7", name="answer", arguments="{}", provider_data=data[1])
        first = FakeStep(text=("Let me see.",), tools=("fail",), calls=(call,), provider_data=data[0])
        await events_of(supervised.playing(first, ASK_TOOLS, ANSWER).run(supervised.turn))
        for request in supervised.requests[1:]:
            message = next(said for said in request.messages if isinstance(said, AssistantMessage))
            assert message.provider_data == data[0]
            assert [said.provider_data for said in message.tool_calls] == [None, data[1]]

    async def test_a_failure_of_the_provider_is_passed_on(self, supervised: SupervisorUnderTest) -> None:
        supervisor = supervised.playing(ASK_TOOLS, FakeStep(fails=ProviderFailure.OVERLOADED))
        with pytest.raises(ProviderError) as caught:
            await events_of(supervisor.run(supervised.turn))
        assert caught.value.kind is ProviderFailure.OVERLOADED
        assert supervised.running == 0

    async def test_a_turn_that_does_not_end_in_its_time_is_said_to_have_taken_too_long(
        self, supervised: SupervisorUnderTest
    ) -> None:
        supervisor = supervised.playing(FakeStep(tools=("hang",)))
        with pytest.raises(TurnTimeoutError):
            await events_of(supervisor.run(supervised.turn_ending_in(0.05)))
        assert supervised.running == 0

    @pytest.mark.parametrize("why", ["unknown provider", "missing key", "unreadable key"])
    async def test_a_turn_that_can_t_be_run_is_refused(self, supervised: SupervisorUnderTest, why: str) -> None:
        with pytest.raises(UnavailableError):
            await events_of(supervised.playing(ANSWER).run(supervised.unusable()[why]))

    async def test_turns_may_run_side_by_side(self, supervised: SupervisorUnderTest) -> None:
        supervisor = supervised.playing(ANSWER)
        turns = await asyncio.gather(*(events_of(supervisor.run(supervised.turn)) for _ in range(5)))
        assert [text_in(events) for events in turns] == ["It is so."] * 5


def text_in(events: list[SupervisorEvent]) -> str:
    """Returns the text among the events."""
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def _provider_data(name: str) -> ProviderData:
    return ProviderData(provider="played", model="model", data=msgspec.Raw(msgspec.json.encode({"signature": name})))
