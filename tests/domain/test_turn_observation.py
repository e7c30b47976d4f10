"""Observers can neither delay nor fail a turn."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator

import pytest

from polyant.domain import turn_observation
from polyant.domain.chat import StepFinished, ToolFinished
from polyant.domain.ports.turn_observer import TurnObserver, unobserved
from polyant.domain.turn_observation import TurnObservation
from polyant.domain.turn_records import ObservedTurn, TurnOutcome, TurnRecord
from polyant.testing.turn_observer import STEP, TOOL, record_of
from polyant.testing.turns import observed_turn
from support.logs import collected, fields_of

TURN = observed_turn()


class FakeObserver(TurnObserver):
    """An observer that records its observations after an optional action of the test."""

    def __init__(self, play: Callable[[], Awaitable[None]] | None = None) -> None:
        self.observed: list[str] = []
        self._play = play

    async def turn_started(self, turn: ObservedTurn) -> None:
        await self._note(f"started {turn.id}")

    async def step_finished(self, turn: ObservedTurn, step: StepFinished, *, elapsed: float) -> None:
        await self._note(f"step {step.steps} after {elapsed}")

    async def tool_finished(self, turn: ObservedTurn, tool: ToolFinished, *, elapsed: float) -> None:
        await self._note(f"tool {tool.name} after {elapsed}")

    async def turn_finished(self, turn: ObservedTurn, record: TurnRecord) -> None:
        await self._note(f"{record.outcome}")

    async def _note(self, observation: str) -> None:
        if self._play is not None:
            await self._play()
        self.observed.append(observation)


class EndsObserver(FakeObserver):
    """An observer that does nothing but at the end of turns."""

    @unobserved
    async def turn_started(self, turn: ObservedTurn) -> None:
        raise AssertionError("it isn't called")

    @unobserved
    async def step_finished(self, turn: ObservedTurn, step: StepFinished, *, elapsed: float) -> None:
        raise AssertionError("it isn't called")

    @unobserved
    async def tool_finished(self, turn: ObservedTurn, tool: ToolFinished, *, elapsed: float) -> None:
        raise AssertionError("it isn't called")


@pytest.fixture
def log() -> Iterator[list[logging.LogRecord]]:
    with collected("polyant.turn") as records:
        yield records


async def fail() -> None:
    raise ValueError("a text with the key secret-0123456789")


async def hang() -> None:
    await asyncio.Event().wait()


def publish_whole_turn(observation: TurnObservation) -> None:
    observation.turn_started(TURN)
    observation.step_finished(TURN, STEP, elapsed=1.5)
    observation.tool_finished(TURN, TOOL, elapsed=2.5)
    observation.turn_finished(TURN, record_of(TurnOutcome.ABANDONED))


WHOLE_TURN = [f"started {TURN.id}", "step 1 after 1.5", "tool calculate after 2.5", "abandoned"]


async def test_each_observer_receives_every_observation_in_order() -> None:
    observers = {"one": FakeObserver(), "two": FakeObserver()}
    async with TurnObservation(observers) as observation:
        publish_whole_turn(observation)
        assert [observer.observed for observer in observers.values()] == [[], []]  # publishing runs no observer
    assert [observer.observed for observer in observers.values()] == [WHOLE_TURN, WHOLE_TURN]


async def test_methods_marked_as_doing_nothing_are_not_called(log: list[logging.LogRecord]) -> None:
    ends, other = EndsObserver(), FakeObserver()
    async with TurnObservation({"ends": ends, "other": other}) as observation:
        publish_whole_turn(observation)
    assert (ends.observed, other.observed, log) == (["abandoned"], WHOLE_TURN, [])


async def test_observations_are_delivered_while_open() -> None:
    delivered = asyncio.Event()

    async def note_delivery() -> None:
        delivered.set()

    async with TurnObservation({"one": FakeObserver(note_delivery)}) as observation:
        for _ in range(3):
            delivered.clear()
            observation.turn_started(TURN)
            await asyncio.wait_for(delivered.wait(), 30)


async def test_observations_of_a_running_turn_are_delivered_with_its_end() -> None:
    """Each delivery costs a switch of tasks."""
    observer = FakeObserver()
    async with TurnObservation({"one": observer}) as observation:
        await asyncio.sleep(0)
        observation.turn_started(TURN)
        observation.step_finished(TURN, STEP, elapsed=1.5)
        for _ in range(3):
            await asyncio.sleep(0)
        assert observer.observed == []
        observation.turn_finished(TURN, record_of(TurnOutcome.ABANDONED))
        for _ in range(3):
            await asyncio.sleep(0)
        assert observer.observed == [WHOLE_TURN[0], WHOLE_TURN[1], WHOLE_TURN[3]]


async def test_failing_observer_loses_only_its_observations_and_is_logged_once(log: list[logging.LogRecord]) -> None:
    good = FakeObserver()
    async with TurnObservation({"bad": FakeObserver(fail), "good": good}) as observation:
        publish_whole_turn(observation)
        publish_whole_turn(observation)
    assert good.observed == WHOLE_TURN * 2
    (record,) = log
    assert (record.getMessage(), fields_of(record)["observer"]) == ("turn observer failed", "bad")
    assert fields_of(record)["error"] == "ValueError"
    assert "secret" not in str(record.__dict__)


async def test_hanging_observer_delays_no_other_and_its_drops_are_counted_and_logged(
    log: list[logging.LogRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turn_observation, "_CLOSE_SECONDS", 0.01)
    good = FakeObserver()
    async with TurnObservation({"stuck": FakeObserver(hang), "good": good}, max_waiting=2) as observation:
        for _ in range(5):
            observation.turn_started(TURN)
            await asyncio.sleep(0.001)
        assert len(good.observed) == 5
        assert observation.dropped == {"stuck": 2, "good": 0}  # one is being handled, two are queued
    slow, lost = log
    assert (slow.getMessage(), fields_of(slow)) == (
        "turn observer is too slow",
        {"observer": "stuck", "dropped": 1},
    )
    assert (lost.getMessage(), fields_of(lost)) == ("turn observations lost", {"observer": "stuck", "lost": 3})


async def test_closing_leaves_nothing_running(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turn_observation, "_CLOSE_SECONDS", 0.01)
    before = asyncio.all_tasks()
    async with TurnObservation({"stuck": FakeObserver(hang), "good": FakeObserver()}) as observation:
        publish_whole_turn(observation)
    assert asyncio.all_tasks() == before


async def test_publishing_before_and_after_delivery_is_harmless() -> None:
    observer = FakeObserver()
    observation = TurnObservation({"one": observer})
    observation.turn_started(TURN)
    async with observation:
        pass
    assert len(observer.observed) == 1
    observation.turn_started(TURN)
