"""Observers of turns that each break one promise."""

import asyncio
import time

import pytest

from polyant.domain.chat import StepFinished, ToolFinished
from polyant.domain.errors import ProviderFailure
from polyant.domain.ports.turn_observer import TurnObserver
from polyant.domain.turn_records import ObservedTurn, TurnOutcome, TurnRecord
from polyant.testing.turn_observer import TurnObserverContract


class Observer(TurnObserver):
    """Is right: it does nothing."""

    async def turn_started(self, turn: ObservedTurn) -> None:
        pass

    async def step_finished(self, turn: ObservedTurn, step: StepFinished, *, elapsed: float) -> None:
        pass

    async def tool_finished(self, turn: ObservedTurn, tool: ToolFinished, *, elapsed: float) -> None:
        pass

    async def turn_finished(self, turn: ObservedTurn, record: TurnRecord) -> None:
        pass


class ObserverContract(TurnObserverContract):
    made: type[Observer]

    @pytest.fixture
    def observer(self) -> Observer:
        return self.made()


class TestRight(ObserverContract):
    made = Observer


class NeedsStart(Observer):
    """Keeps open turns by their ids, and expects each of them."""

    def __init__(self) -> None:
        self._open: dict[str, float] = {}

    async def turn_started(self, turn: ObservedTurn) -> None:
        self._open[turn.id] = 0.0

    async def step_finished(self, turn: ObservedTurn, step: StepFinished, *, elapsed: float) -> None:
        self._open[turn.id] += step.milliseconds

    async def turn_finished(self, turn: ObservedTurn, record: TurnRecord) -> None:
        del self._open[turn.id]


class TestStartNeeded(ObserverContract):
    made = NeedsStart


class OneTurnAnInstance(Observer):
    """Keeps open turns by the slug of their instance."""

    def __init__(self) -> None:
        self._open: dict[str, str] = {}

    async def turn_started(self, turn: ObservedTurn) -> None:
        self._open[turn.slug] = turn.id

    async def turn_finished(self, turn: ObservedTurn, record: TurnRecord) -> None:
        assert self._open.pop(turn.slug, turn.id) == turn.id  # another turn has taken the place


class TestOneTurnAnInstance(ObserverContract):
    made = OneTurnAnInstance


class KnowsTools(Observer):
    """Looks for the tool in a table of its own."""

    async def tool_finished(self, turn: ObservedTurn, tool: ToolFinished, *, elapsed: float) -> None:
        _ = {"calculate": 0}[tool.name]


class TestToolsKnown(ObserverContract):
    made = KnowsTools


class KnowsOutcomes(Observer):
    """Knows two outcomes."""

    async def turn_finished(self, turn: ObservedTurn, record: TurnRecord) -> None:
        _ = {TurnOutcome.FINISHED: 0, TurnOutcome.FAILED: 1}[record.outcome]


class TestOutcomesKnown(ObserverContract):
    made = KnowsOutcomes


class Divides(Observer):
    """Computes tokens a second."""

    async def turn_finished(self, turn: ObservedTurn, record: TurnRecord) -> None:
        _ = record.completion_tokens / record.milliseconds


class TestDivided(ObserverContract):
    made = Divides


class Waits(Observer):
    """Sends each observation before it returns."""

    async def step_finished(self, turn: ObservedTurn, step: StepFinished, *, elapsed: float) -> None:
        await asyncio.sleep(0.02)


class TestWaits(ObserverContract):
    patience_seconds = 0.3
    made = Waits


class Blocks(Observer):
    """Writes each observation with a blocking call."""

    async def step_finished(self, turn: ObservedTurn, step: StepFinished, *, elapsed: float) -> None:
        time.sleep(0.02)  # noqa: ASYNC251 - that is the mistake


class TestBlocks(ObserverContract):
    patience_seconds = 0.3
    made = Blocks


class AsksForText(Observer):
    """Names what it records."""

    records_content = "prompts"


class TestTextAskedFor(ObserverContract):
    made = AsksForText


class NamesFailures(Observer):
    """Counts failed model calls by the failures of providers, and knows no other ones."""

    def __init__(self) -> None:
        self._failed = dict.fromkeys(map(str, ProviderFailure), 0)

    async def step_finished(self, turn: ObservedTurn, step: StepFinished, *, elapsed: float) -> None:
        if step.error is not None:
            self._failed[step.error] += 1


class TestFailuresKnown(ObserverContract):
    made = NamesFailures


class NumbersSteps(Observer):
    """Expects that each model call is the next step of its turn, which failed calls and sub-agents aren't."""

    def __init__(self) -> None:
        self._steps: dict[str, int] = {}

    async def step_finished(self, turn: ObservedTurn, step: StepFinished, *, elapsed: float) -> None:
        if step.steps <= self._steps.get(turn.id, 0):
            raise ValueError("a step is reported twice")
        self._steps[turn.id] = step.steps


class TestStepsNumbered(ObserverContract):
    made = NumbersSteps
