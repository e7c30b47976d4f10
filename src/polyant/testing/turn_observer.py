"""The contract of the port TurnObserver."""

import asyncio

import pytest

from polyant.domain.chat import StepFinished, ToolFinished, Usage
from polyant.domain.ports.turn_observer import TurnObserver
from polyant.domain.turn_records import TurnOutcome, TurnRecord
from polyant.testing.contract import Contract, proves
from polyant.testing.manual_clock import START
from polyant.testing.turns import observed_turn

STEP = StepFinished(usage=Usage(7, 3), steps=1, milliseconds=12.5)
TOOL = ToolFinished(call_id="call_1", name="calculate", milliseconds=3.5, ok=True)


def record_of(outcome: TurnOutcome = TurnOutcome.FINISHED) -> TurnRecord:
    """Returns the record of a turn with that outcome."""
    return TurnRecord(
        slug=observed_turn().slug, request_id="req_1", at=START, outcome=outcome, milliseconds=20.0, steps=1
    )


class TurnObserverContract(Contract):
    """The tests that every TurnObserver must pass; subclasses provide it.

    The delivery guarantees (order, isolation, bounds) belong to `TurnObservation`, not to the observer.
    """

    @pytest.fixture
    def observer(self) -> TurnObserver:
        raise NotImplementedError("return the observer under test")

    def test_implements_the_port(self, observer: TurnObserver) -> None:
        assert isinstance(observer, TurnObserver)

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
        await observer.turn_finished(turn, record_of(outcome))

    @proves("Observes the end of a turn, whatever its outcome; the last call for that turn.")
    async def test_observes_turn_that_ends_before_any_step(self, observer: TurnObserver) -> None:
        turn = observed_turn()
        await observer.turn_started(turn)
        await observer.turn_finished(turn, record_of(TurnOutcome.FAILED))

    @proves("Receives the events of every turn, outside the turn's own task.")
    async def test_observes_overlapping_turns(self, observer: TurnObserver) -> None:
        turns = [observed_turn(id=f"{number:032x}") for number in range(3)]
        for turn in turns:
            await observer.turn_started(turn)
        for turn in reversed(turns):
            await observer.step_finished(turn, STEP, elapsed=0.01)
            await observer.turn_finished(turn, record_of())

    @proves("Receives the events of every turn, outside the turn's own task.")
    async def test_observing_returns_quickly(self, observer: TurnObserver) -> None:
        """An observer that sends data elsewhere sends it later."""
        async with asyncio.timeout(5):
            for _ in range(100):
                turn = observed_turn()
                await observer.turn_started(turn)
                await observer.turn_finished(turn, record_of())
