"""The contract of the port TurnObserver."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, ClassVar

import pytest

from polyant.domain.chat import StepFinished, ToolFinished, Usage
from polyant.domain.instances import Slug
from polyant.domain.ports.turn_observer import TurnObserver
from polyant.domain.turn_records import ObservedTurn, TurnOutcome, TurnRecord
from polyant.testing.contract import Contract, proves
from polyant.testing.manual_clock import START
from polyant.testing.turns import observed_turn

STEP = StepFinished(usage=Usage(7, 3), steps=1, milliseconds=12.5)
TOOL = ToolFinished(call_id="call_1", name="calculate", milliseconds=3.5, ok=True)

_MANY = 2**53 - 1
_BUSY = Slug("busy")
"""An instance of its own: counters are floats, so that one with so many tokens can't count a few more."""


def record_of(outcome: TurnOutcome = TurnOutcome.FINISHED, **fields: Any) -> TurnRecord:
    """Returns the record of a turn with that outcome."""
    given = {"slug": observed_turn().slug, "request_id": "req_1", "at": START, "milliseconds": 20.0, "steps": 1}
    return TurnRecord(outcome=outcome, **{**given, **fields})


def events_of(observer: TurnObserver, turn: ObservedTurn) -> Mapping[str, Callable[[], Awaitable[None]]]:
    """Returns the calls for a turn with one step and one tool call, in their order."""
    return {
        "turn_started": lambda: observer.turn_started(turn),
        "step_finished": lambda: observer.step_finished(turn, STEP, elapsed=0.01),
        "tool_finished": lambda: observer.tool_finished(turn, TOOL, elapsed=0.02),
        "turn_finished": lambda: observer.turn_finished(turn, record_of()),
    }


class TurnObserverContract(Contract):
    """The tests that every TurnObserver must pass; subclasses provide it.

    The delivery guarantees (order, isolation, bounds) belong to `TurnObservation`, not to the observer. Because it
    drops observations of a slow observer, an observer has to work without any of them.
    """

    patience_seconds: ClassVar[float] = 5.0
    """The time for 200 observations."""

    @pytest.fixture
    def observer(self) -> TurnObserver:
        raise NotImplementedError("return the observer under test")

    def test_implements_the_port(self, observer: TurnObserver) -> None:
        assert isinstance(observer, TurnObserver)

    def test_request_for_text_is_a_boolean(self, observer: TurnObserver) -> None:
        assert getattr(observer, "records_content", False) in {True, False}

    @proves(
        "Observes the start of an admitted turn.",
        "Observes the end of one model call, `elapsed` seconds after the turn started.",
        "Observes the end of one tool call, `elapsed` seconds after the turn started.",
        "Observes the end of a turn, whatever its outcome; the last call for that turn.",
    )
    @pytest.mark.parametrize("outcome", TurnOutcome)
    async def test_observes_complete_turn(self, observer: TurnObserver, outcome: TurnOutcome) -> None:
        turn = observed_turn()
        await observer.turn_started(turn)
        await observer.step_finished(turn, STEP, elapsed=0.01)
        await observer.tool_finished(turn, TOOL, elapsed=0.02)
        await observer.turn_finished(turn, record_of(outcome, error="the provider failed"))

    @proves("Observes the end of a turn, whatever its outcome; the last call for that turn.")
    async def test_observes_turn_that_ends_before_any_step(self, observer: TurnObserver) -> None:
        turn = observed_turn()
        await observer.turn_started(turn)
        await observer.turn_finished(turn, record_of(TurnOutcome.FAILED, steps=0))

    @proves("Receives the events of every turn, outside the turn's own task.")
    @pytest.mark.parametrize("step", [1, -1])
    async def test_observes_overlapping_turns(self, observer: TurnObserver, step: int) -> None:
        """Turns of one instance end in any order."""
        turns = [observed_turn(id=f"{number:032x}") for number in range(3)]
        for turn in turns:
            await observer.turn_started(turn)
        for turn in turns[::step]:
            await observer.step_finished(turn, STEP, elapsed=0.01)
            await observer.turn_finished(turn, record_of())

    @pytest.mark.parametrize("dropped", ["turn_started", "step_finished", "tool_finished", "turn_finished"])
    async def test_observes_the_rest_if_an_observation_was_dropped(self, observer: TurnObserver, dropped: str) -> None:
        for number in range(2):
            for name, observe in events_of(observer, observed_turn(id=f"{number:032x}")).items():
                if name != dropped:
                    await observe()

    async def test_observes_several_steps_and_tools(self, observer: TurnObserver) -> None:
        turn = observed_turn(streamed=True)
        await observer.turn_started(turn)
        for number in range(1, 4):
            step = StepFinished(usage=Usage(7 * number, 3 * number, number), steps=number, milliseconds=1.5)
            await observer.step_finished(turn, step, elapsed=0.01 * number)
            for call in range(2):  # the calls of one step may end in any order
                tool = ToolFinished(
                    call_id=f"call_{number}_{1 - call}", name="calculate", milliseconds=0.5, ok=not call
                )
                await observer.tool_finished(turn, tool, elapsed=0.01 * number)
        await observer.turn_finished(turn, record_of(steps=3, tool_calls=6, failed_tool_calls=3, streamed=True))

    async def test_observes_failed_calls_and_those_of_sub_agents(self, observer: TurnObserver) -> None:
        """Other observers may ask for them; a failed call has the number of the step before it."""
        turn = observed_turn()
        await observer.turn_started(turn)
        for error in ("rate_limit", "cancelled", None):
            step = StepFinished(usage=Usage(), steps=0, milliseconds=0.5, error=error, sub_agent=error is None)
            await observer.step_finished(turn, step, elapsed=0.01)
        tool = ToolFinished(call_id="call_1", name="calculate", milliseconds=0.5, ok=True, offered=True, sub_agent=True)
        await observer.tool_finished(turn, tool, elapsed=0.02)
        await observer.turn_finished(turn, record_of(TurnOutcome.FAILED, steps=0))

    @pytest.mark.parametrize("name", ["", "no_such_tool", "files__read", "é 🙂\0\n\"'{}", "x" * 10_000])
    async def test_observes_names_that_a_model_made_up(self, observer: TurnObserver, name: str) -> None:
        turn = observed_turn()
        await observer.turn_started(turn)
        await observer.tool_finished(
            turn, ToolFinished(call_id=name, name=name, milliseconds=0.0, ok=False), elapsed=0.0
        )
        await observer.turn_finished(turn, record_of(tool_calls=1, failed_tool_calls=1))

    @pytest.mark.parametrize(
        "fields",
        [
            {"milliseconds": 0.0, "prompt_tokens": 0, "completion_tokens": 0, "steps": 0},
            {"slug": _BUSY, "prompt_tokens": _MANY, "completion_tokens": _MANY, "cached_tokens": _MANY},
            {"milliseconds": 86_400_000.0},
            {"first_token_milliseconds": 0.0, "provider": "scripted", "tool_calls": 1_000, "failed_tool_calls": 1_000},
            {"provider": None, "first_token_milliseconds": None},
        ],
    )
    async def test_observes_extreme_figures(self, observer: TurnObserver, fields: dict[str, Any]) -> None:
        turn = observed_turn()
        await observer.turn_started(turn)
        await observer.step_finished(turn, StepFinished(usage=Usage(), steps=1, milliseconds=0.0), elapsed=0.0)
        await observer.turn_finished(turn, record_of(**fields))

    @proves("Receives the events of every turn, outside the turn's own task.")
    async def test_observing_returns_quickly(self, observer: TurnObserver) -> None:
        """An observer that sends data elsewhere sends it later, and doesn't block the event loop."""
        started = time.monotonic()
        async with asyncio.timeout(self.patience_seconds):
            for number in range(50):
                for observe in events_of(observer, observed_turn(id=f"{number:032x}")).values():
                    await observe()
        assert time.monotonic() - started < self.patience_seconds
