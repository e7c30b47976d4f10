import asyncio
import weakref
from typing import Any

import pytest

from polyant.domain.chat import ChatRequest, StepFinished, TextDelta, ToolFinished, Usage, UserMessage
from polyant.domain.errors import (
    ProviderError,
    ProviderFailure,
    ServerBusyError,
    ServerShuttingDownError,
    TurnTimeoutError,
)
from polyant.domain.instances import Instance, Slug
from polyant.domain.limits import TurnBudget, TurnLimits
from polyant.domain.ports.turn_observer import TurnObserver
from polyant.domain.running_turns import CallerGoneError, Interruption
from polyant.domain.turn_records import ObservedTurn, TurnOutcome, TurnRecord
from polyant.domain.use_cases.run_turn import TurnRun
from polyant.testing.factories import InstanceFactory
from polyant.testing.turns import CONTEXT
from support.scripted_supervisor import TOOL_FINISHED, TOOL_STARTED, TURN_FINISHED, ScriptedSupervisor, says
from support.turn_runner import TurnRunner, events_of

STEP = StepFinished(usage=Usage(3, 1), steps=1, milliseconds=4.0)


class RecordingObserver(TurnObserver):
    """An observer that records its observations in order."""

    def __init__(self) -> None:
        self.observed: list[tuple[Any, ...]] = []
        self.turns: set[str] = set()

    async def turn_started(self, turn: ObservedTurn) -> None:
        self._note(turn, "started")

    async def step_finished(self, turn: ObservedTurn, step: StepFinished, *, elapsed: float) -> None:
        self._note(turn, step, elapsed)

    async def tool_finished(self, turn: ObservedTurn, tool: ToolFinished, *, elapsed: float) -> None:
        self._note(turn, tool, elapsed)

    async def turn_finished(self, turn: ObservedTurn, record: TurnRecord) -> None:
        self._note(turn, record.outcome)

    def _note(self, turn: ObservedTurn, *observation: Any) -> None:
        self.turns.add(turn.id)
        self.observed.append(observation)


@pytest.fixture
def supervisor() -> ScriptedSupervisor:
    return ScriptedSupervisor()


def instance_of(**limits: Any) -> Instance:
    return InstanceFactory.build(slug=Slug("bot"), limits=TurnLimits(**limits))


def started(runner: TurnRunner, instance: Instance | None = None, *, stream: bool = False) -> TurnRun:
    request = ChatRequest(model=Slug("bot"), messages=(UserMessage.of("Hi"),), stream=stream)
    return runner.run_turn(instance or instance_of(), request, CONTEXT)


async def test_turn_has_the_budget_and_the_deadline_of_its_instance(supervisor: ScriptedSupervisor) -> None:
    runner = TurnRunner(supervisor, budget=TurnBudget(turn_seconds=300, max_steps=15))
    await events_of(started(runner))
    await events_of(started(runner, instance_of(turn_seconds=20, max_steps=3)))
    assert [(turn.deadline, turn.budget.max_steps) for turn in supervisor.turns] == [(300.0, 15), (20.0, 3)]


async def test_observers_receive_the_events_of_a_turn_in_order(supervisor: ScriptedSupervisor) -> None:
    observer = RecordingObserver()
    runner = TurnRunner(supervisor, observers={"noting": observer})
    supervisor.plays(STEP, TOOL_STARTED, TOOL_FINISHED, *says("Hi"))
    async with runner.observation:
        await events_of(started(runner))
    assert observer.observed == [("started",), (STEP, 0.0), (TOOL_FINISHED, 0.0), (TurnOutcome.FINISHED,)]
    assert len(observer.turns) == 1
    assert len(observer.turns.pop()) == 32


async def test_observers_receive_the_origin_of_the_turn(supervisor: ScriptedSupervisor) -> None:
    seen: list[ObservedTurn] = []

    class OriginObserver(RecordingObserver):
        async def turn_started(self, turn: ObservedTurn) -> None:
            seen.append(turn)

    runner, instance = TurnRunner(supervisor, observers={"seeing": OriginObserver()}), instance_of()
    async with runner.observation:
        await events_of(started(runner, instance, stream=True))
    (turn,) = seen
    assert (turn.context, turn.slug, turn.instance_id) == (CONTEXT, instance.slug, instance.id)
    assert (turn.provider, turn.model, turn.streamed) == (instance.provider, instance.model, True)
    assert turn.started_at == runner.clock.now()


async def test_record_and_usage_match_the_events(supervisor: ScriptedSupervisor) -> None:
    runner = TurnRunner(supervisor)
    supervisor.plays(STEP, TOOL_STARTED, TOOL_FINISHED, TextDelta("Hi"), TURN_FINISHED)
    run = started(runner, stream=True)
    assert run.record is None
    await events_of(run)
    assert run.usage == TURN_FINISHED.usage
    assert run.record is not None
    assert (run.record.outcome, run.record.steps, run.record.tool_calls) == (TurnOutcome.FINISHED, 1, 1)
    assert (run.record.prompt_tokens, run.record.completion_tokens, run.record.streamed) == (7, 5, True)


@pytest.mark.parametrize(
    ("interruption", "error", "outcome"),
    [
        (Interruption.CALLER_GONE, CallerGoneError, TurnOutcome.ABANDONED),
        (Interruption.SHUTDOWN, ServerShuttingDownError, TurnOutcome.SHUTDOWN),
        (Interruption.DEADLINE, TurnTimeoutError, TurnOutcome.TIMED_OUT),
    ],
)
async def test_interrupted_turn_is_abandoned_and_frees_its_slot(
    supervisor: ScriptedSupervisor, interruption: Interruption, error: type[Exception], outcome: TurnOutcome
) -> None:
    runner = TurnRunner(supervisor, max_turns=1)
    supervisor.plays(asyncio.Event())
    run = started(runner)
    task = asyncio.create_task(events_of(run))
    await supervisor.runs()
    with pytest.raises(ServerBusyError):
        await events_of(started(runner))
    run.interrupt(interruption)
    with pytest.raises(error):
        await task
    assert (supervisor.running, len(runner.turns)) == (0, 0)
    assert run.record is not None
    assert run.record.outcome is outcome


async def test_interrupted_turn_is_freed_without_garbage_collection(
    supervisor: ScriptedSupervisor, no_garbage_collection: None
) -> None:
    runner = TurnRunner(supervisor)
    supervisor.plays(asyncio.Event())
    run = started(runner)
    task = asyncio.create_task(events_of(run))
    await supervisor.runs()
    run.interrupt(Interruption.CALLER_GONE)
    with pytest.raises(CallerGoneError):
        await task
    freed = weakref.ref(run)
    del run, task
    await asyncio.sleep(0)
    assert freed() is None


async def test_turn_ends_at_its_deadline_while_the_supervisor_hangs(supervisor: ScriptedSupervisor) -> None:
    runner = TurnRunner(supervisor)
    supervisor.plays(TextDelta("Hel"), asyncio.Event())
    with pytest.raises(TurnTimeoutError):
        await events_of(started(runner, instance_of(turn_seconds=0.05)))
    assert (supervisor.running, len(runner.turns)) == (0, 0)


async def test_turn_ends_at_its_deadline_while_its_consumer_is_busy(supervisor: ScriptedSupervisor) -> None:
    """A generator suspended at `yield` can't time out by itself."""
    runner = TurnRunner(supervisor)
    supervisor.plays(*says("Hel", "lo"))
    run = started(runner, instance_of(turn_seconds=0.05))

    async def consume() -> None:
        async with run:
            await anext(run)
            await asyncio.Event().wait()

    with pytest.raises(TurnTimeoutError):
        await consume()
    assert (supervisor.running, len(runner.turns)) == (0, 0)


async def test_finished_turn_is_not_interrupted_later(supervisor: ScriptedSupervisor) -> None:
    await events_of(started(TurnRunner(supervisor), instance_of(turn_seconds=0.01)))
    await asyncio.sleep(0.2)


async def test_error_of_the_turn_is_raised_unchanged(supervisor: ScriptedSupervisor) -> None:
    error = ProviderError("vendor", ProviderFailure.AUTH)
    supervisor.plays(STEP, error)
    run = started(TurnRunner(supervisor))
    with pytest.raises(ProviderError) as caught:
        await events_of(run)
    assert caught.value is error
    assert run.record is not None
    assert (run.record.outcome, run.record.prompt_tokens) == (TurnOutcome.FAILED, 3)


async def test_turn_left_early_is_abandoned(supervisor: ScriptedSupervisor) -> None:
    supervisor.plays(TextDelta("Hel"), asyncio.Event())
    run = started(TurnRunner(supervisor))
    async with run:
        await anext(run)
    assert supervisor.running == 0
