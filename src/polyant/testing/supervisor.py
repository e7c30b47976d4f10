"""The contract of the port Supervisor."""

import asyncio
from collections.abc import Mapping
from contextlib import aclosing
from typing import Protocol

import msgspec
import pytest

from polyant.domain.chat import (
    AssistantMessage,
    ProviderData,
    StepFinished,
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
from polyant.testing import supervisor_duties
from polyant.testing.contract import proves
from polyant.testing.fakes import FakeStep
from polyant.testing.supervisor_duties import ANSWER, EquippedSupervisor, SupervisorDutiesContract
from polyant.testing.supervisor_events import events_of, text_in

OVER_AT_ONCE = 1.0

ASK_TOOLS = FakeStep(text=("Let me ", "see."), tools=("answer", "fail"), usage=Usage(10, 1))


class SupervisorUnderTest(EquippedSupervisor, Protocol):
    """A supervisor, and control over its model and its tools."""

    @property
    def running(self) -> int:
        """The number of model calls and tools that are running."""

    def turn_ending_in(self, seconds: float) -> Turn:
        """Returns the same turn with a deadline that many seconds from now."""

    async def hanging(self, count: int = 1) -> None:
        """Returns once that many model calls and tools hang."""

    def unusable(self) -> Mapping[str, Turn]:
        """Returns turns that can't run, by reason: `unknown provider`, `missing key` and `unreadable key`."""


class SupervisorContract(SupervisorDutiesContract):
    """The tests that every Supervisor must pass; subclasses provide the supervisor under test."""

    @pytest.fixture
    def supervised(self) -> SupervisorUnderTest:
        raise NotImplementedError("return the supervisor under test")

    def test_implements_the_port(self, supervised: SupervisorUnderTest) -> None:
        assert isinstance(supervised.playing(ANSWER), Supervisor)

    @proves("Yields the turn's events as they happen; the last one is a TurnFinished.")
    async def test_text_is_streamed(self, supervised: SupervisorUnderTest) -> None:
        supervisor = supervised.playing(FakeStep(text=("Hel", "lo"), hangs=True))
        turn = msgspec.structs.replace(supervised.turn, stream=True)
        async with aclosing(supervisor.run(turn)) as events:
            assert [await anext(events), await anext(events)] == [TextDelta("Hel"), TextDelta("lo")]

    @proves("Yields the turn's events as they happen; the last one is a TurnFinished.")
    async def test_tool_started_arrives_while_tool_runs(self, supervised: SupervisorUnderTest) -> None:
        supervisor = supervised.playing(FakeStep(tools=("hang",)))
        async with aclosing(supervisor.run(supervised.turn)) as events:
            while not isinstance(started := await anext(events), ToolStarted):
                pass
        assert started.name == "hang"

    @proves("A StepFinished with the totals so far follows each model call and precedes the tools that it calls.")
    async def test_step_finished_follows_model_call_and_precedes_its_tools(
        self, supervised: SupervisorUnderTest
    ) -> None:
        events = await events_of(supervised.playing(ASK_TOOLS, ANSWER).run(supervised.turn))
        seen = [event for event in events if isinstance(event, StepFinished | ToolStarted)]
        assert [(event.usage, event.steps) if isinstance(event, StepFinished) else event.name for event in seen] == [
            *((Usage(10, 1), 1), *ASK_TOOLS.tools),
            (Usage(30, 3), 2),
        ]

    async def test_tool_finished_arrives_while_other_tools_run(self, supervised: SupervisorUnderTest) -> None:
        supervisor = supervised.playing(FakeStep(tools=("hang", "answer")))
        async with aclosing(supervisor.run(supervised.turn)) as events:
            while not isinstance(event := await anext(events), ToolFinished):
                pass
        assert event.name == "answer"

    @proves("Yields the turn's events as they happen; the last one is a TurnFinished.")
    async def test_only_last_event_is_turn_finished(self, supervised: SupervisorUnderTest) -> None:
        events = await events_of(supervised.playing(ASK_TOOLS, ANSWER).run(supervised.turn))
        assert [isinstance(event, TurnFinished) for event in events] == [False] * (len(events) - 1) + [True]

    @proves("Runs a turn: calls the model and the tools it requests until the model gives its final answer.")
    async def test_turn_finished_has_totals_of_all_model_calls(self, supervised: SupervisorUnderTest) -> None:
        *_, finished = await events_of(supervised.playing(ASK_TOOLS, ASK_TOOLS, ANSWER).run(supervised.turn))
        assert isinstance(finished, TurnFinished)
        assert (finished.usage, finished.steps) == (Usage(40, 4), 3)
        assert finished.milliseconds >= 0

    @proves("The deltas after the last ToolStarted are the final answer; earlier text is intermediate.")
    async def test_answer_is_text_after_last_tool_started(self, supervised: SupervisorUnderTest) -> None:
        events = await events_of(supervised.playing(ASK_TOOLS, ASK_TOOLS, ANSWER).run(supervised.turn))
        last_start = max(at for at, event in enumerate(events) if isinstance(event, ToolStarted))
        assert text_in(events[last_start:]) == "It is so."
        assert text_in(events[:last_start]) == "Let me see." * 2

    @proves("A failed tool call gives the model an error result, and the turn continues.")
    async def test_every_started_tool_finishes_with_its_outcome(self, supervised: SupervisorUnderTest) -> None:
        events = await events_of(supervised.playing(ASK_TOOLS, ANSWER).run(supervised.turn))
        started = {event.call_id: event.name for event in events if isinstance(event, ToolStarted)}
        finished = {event.call_id: event for event in events if isinstance(event, ToolFinished)}
        assert {call_id: event.name for call_id, event in finished.items()} == started
        assert {event.name: event.ok for event in finished.values()} == {"answer": True, "fail": False}

    @proves(
        "Leaving or closing the generator abandons the turn: when `aclose` returns, the model call and "
        "all tools have ended.",
    )
    async def test_closing_generator_ends_model_call(self, supervised: SupervisorUnderTest) -> None:
        turn = msgspec.structs.replace(supervised.turn, stream=True)
        events = supervised.playing(FakeStep(text=("Hel",), hangs=True)).run(turn)
        await anext(events)
        async with asyncio.timeout(OVER_AT_ONCE):
            await events.aclose()
        assert supervised.running == 0

    @proves(
        "Leaving or closing the generator abandons the turn: when `aclose` returns, the model call and "
        "all tools have ended.",
    )
    async def test_closing_generator_ends_all_tools(self, supervised: SupervisorUnderTest) -> None:
        events = supervised.playing(FakeStep(tools=("hang",) * 3)).run(supervised.turn)
        for _ in range(3):
            await anext(events)
        async with asyncio.timeout(OVER_AT_ONCE):
            await events.aclose()
        assert supervised.running == 0

    @proves(
        "Leaving or closing the generator abandons the turn: when `aclose` returns, the model call and "
        "all tools have ended.",
    )
    @pytest.mark.parametrize("step", [FakeStep(hangs=True), FakeStep(tools=("hang", "hang"))], ids=["model", "tools"])
    async def test_cancelled_turn_leaves_nothing_running(self, supervised: SupervisorUnderTest, step: FakeStep) -> None:
        task = asyncio.create_task(events_of(supervised.playing(step).run(supervised.turn)))
        async with asyncio.timeout(supervisor_duties.PATIENCE_SECONDS):
            await supervised.hanging(len(step.tools) or 1)
        task.cancel()
        async with asyncio.timeout(OVER_AT_ONCE):
            await asyncio.wait([task])
        assert task.cancelled()
        assert supervised.running == 0

    @proves("Later model requests of the turn repeat the `provider_data` of each message and tool call unchanged.")
    async def test_provider_data_is_sent_back_with_its_message_and_calls(self, supervised: SupervisorUnderTest) -> None:
        data = [_provider_data(name) for name in ("of the message", "of the call")]
        call = ToolCall(id="call_7", name="answer", arguments="{}", provider_data=data[1])
        first = FakeStep(text=("Let me see.",), tools=("fail",), calls=(call,), provider_data=data[0])
        await events_of(supervised.playing(first, ASK_TOOLS, ANSWER).run(supervised.turn))
        for request in supervised.requests[1:]:
            reply = next(message for message in request.messages if isinstance(message, AssistantMessage))
            assert reply.provider_data == data[0]
            assert [each.provider_data for each in reply.tool_calls] == [None, data[1]]

    @proves(
        "A response that the provider interrupts (`paused`) is sent back, and the model is called again to continue it."
    )
    async def test_paused_response_is_continued(self, supervised: SupervisorUnderTest) -> None:
        data = _provider_data("of the pause")
        paused = FakeStep(text=("Let me ",), provider_data=data, paused=True)
        steps = paused, FakeStep(text=("see.",), tools=("answer",)), ANSWER
        events = await events_of(supervised.playing(*steps).run(supervised.turn))
        assert text_in(events) == "Let me see.It is so."
        _, *later = supervised.requests
        assert len(later) == len(steps) - 1
        for request in later:
            first = next(message for message in request.messages if isinstance(message, AssistantMessage))
            assert (first.content, first.provider_data) == ("Let me ", data)

    @proves("ProviderError: The model provider failed.")
    async def test_provider_failure_is_raised(self, supervised: SupervisorUnderTest) -> None:
        supervisor = supervised.playing(ASK_TOOLS, FakeStep(fails=ProviderFailure.OVERLOADED))
        with pytest.raises(ProviderError) as caught:
            await events_of(supervisor.run(supervised.turn))
        assert caught.value.kind is ProviderFailure.OVERLOADED
        assert supervised.running == 0

    @proves("TurnTimeoutError: The turn's tools didn't finish by its deadline.")
    async def test_turn_past_deadline_raises_timeout(self, supervised: SupervisorUnderTest) -> None:
        supervisor = supervised.playing(FakeStep(tools=("hang",)))
        with pytest.raises(TurnTimeoutError):
            await events_of(supervisor.run(supervised.turn_ending_in(0.05)))
        assert supervised.running == 0

    @proves(
        "UnavailableError: The instance can't run a turn: its provider is unknown, or its key is missing"
        " or unreadable.",
    )
    @pytest.mark.parametrize("reason", ["unknown provider", "missing key", "unreadable key"])
    async def test_turn_that_cannot_run_is_refused(self, supervised: SupervisorUnderTest, reason: str) -> None:
        with pytest.raises(UnavailableError):
            await events_of(supervised.playing(ANSWER).run(supervised.unusable()[reason]))

    async def test_turns_can_run_concurrently(self, supervised: SupervisorUnderTest) -> None:
        supervisor = supervised.playing(ANSWER)
        turns = await asyncio.gather(*(events_of(supervisor.run(supervised.turn)) for _ in range(5)))
        assert [text_in(events) for events in turns] == ["It is so."] * 5


def _provider_data(name: str) -> ProviderData:
    return ProviderData(provider="fake", model="model", data=msgspec.Raw(msgspec.json.encode({"signature": name})))
