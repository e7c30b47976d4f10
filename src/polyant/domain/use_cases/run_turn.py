"""Use case: run a turn for any kind of caller."""

import asyncio
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Self

from polyant.domain.chat import ChatRequest, SupervisorEvent, Turn, Usage
from polyant.domain.instances import Instance
from polyant.domain.limits import TurnBudget
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.supervisor import Supervisor
from polyant.domain.ports.token_source import TokenSource
from polyant.domain.running_turns import Interruption, RunningTurn, RunningTurns
from polyant.domain.turn_context import TurnContext
from polyant.domain.turn_observation import TurnObservation
from polyant.domain.turn_recorder import TurnRecorder
from polyant.domain.turn_records import ObservedTurn, TurnRecord

_DEADLINE_MARGIN_SECONDS = 0.1
"""A model or a tool that keeps the deadline itself gets to say what was late."""


class RunTurn:
    """Runs turns: the one way for /v1, the playground and channels, so that limits and metrics hold for all of them.

    Args:
        supervisor: Runs the turn itself.
        turns: The turns of this process, which admits this one.
        observation: Tells the observers.
        clock: Measures durations.
        tokens: Makes the turns' ids.
        budget: The server's budget for a turn; an instance's own limits replace parts of it.
    """

    def __init__(
        self,
        *,
        supervisor: Supervisor,
        turns: RunningTurns,
        observation: TurnObservation,
        clock: Clock,
        tokens: TokenSource,
        budget: TurnBudget,
    ) -> None:
        self._supervisor = supervisor
        self._turns = turns
        self._observation = observation
        self._clock = clock
        self._tokens = tokens
        self._budget = budget

    def __call__(self, instance: Instance, request: ChatRequest, context: TurnContext) -> "TurnRun":
        """Returns the turn of a caller who may talk to the instance; it starts when it is entered."""
        started = self._clock.monotonic()
        budget = instance.limits.applied_to(self._budget)
        turn = Turn(
            instance=instance,
            context=context,
            budget=budget,
            deadline=started + budget.turn_seconds,
            messages=request.messages,
            caller_instructions=request.caller_instructions,
            sampling=request.sampling,
            stream=request.stream,
        )
        observed = ObservedTurn(
            id=self._tokens.turn_id(),
            context=context,
            instance_id=instance.id,
            slug=instance.slug,
            provider=instance.provider,
            model=instance.model,
            streamed=request.stream,
            started_at=self._clock.now(),
        )
        recorder = TurnRecorder(observed, self._observation, self._clock, started=started)
        return TurnRun(turn, supervisor=self._supervisor, turns=self._turns, recorder=recorder, clock=self._clock)


class TurnRun(AsyncIterator[SupervisorEvent]):
    """One turn: enter it as an asynchronous context manager and iterate over its events inside.

    Entering admits the turn. Leaving it abandons what still runs: the model call and all tools are over, and the slot
    is free, when the `async with` block is left. The task that entered it is cancelled at the turn's deadline, also
    while it does something else than waiting for the next event, and the error below is raised in its place.

    Raises:
        ServerBusyError: Too many turns run already.
        ServerShuttingDownError: The server stops, or interrupted this turn.
        TurnTimeoutError: The turn did not end by its deadline.
        CallerGoneError: `interrupt` was called for a caller who no longer waits.
    """

    def __init__(
        self, turn: Turn, *, supervisor: Supervisor, turns: RunningTurns, recorder: TurnRecorder, clock: Clock
    ) -> None:
        self._turn = turn
        self._events = supervisor.run(turn)
        self._turns = turns
        self._recorder = recorder
        self._clock = clock
        self._running: RunningTurn
        self._timer: asyncio.TimerHandle
        self.record: TurnRecord | None = None
        """The outcome and metrics, once the turn was left."""

    @property
    def instance(self) -> Instance:
        """The instance whose turn it is."""
        return self._turn.instance

    @property
    def usage(self) -> Usage:
        """The tokens of all model calls so far."""
        return self._recorder.usage

    def interrupt(self, reason: Interruption) -> None:
        """Ends the turn from outside; nothing happens to one that is over."""
        self._running.interrupt(reason)

    async def __aenter__(self) -> Self:
        """Admits the turn and starts its time."""
        self._running = self._turns.admit()
        seconds = self._turn.deadline - self._clock.monotonic() + _DEADLINE_MARGIN_SECONDS
        self._timer = asyncio.get_running_loop().call_later(seconds, self._running.interrupt, Interruption.DEADLINE)
        self._recorder.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Abandons what still runs, frees the slot and reports the outcome."""
        last = error
        try:
            await self._events.aclose()  # can be interrupted, too
        except BaseException as closing_error:  # noqa: BLE001 - raised again below
            last = closing_error
        self._timer.cancel()
        outcome = self._running.end(last)
        self._turns.release(self._running)
        self.record = self._recorder.finish(outcome)
        if outcome is not None and outcome is not error:
            raise outcome from None

    async def __anext__(self) -> SupervisorEvent:
        """Returns the next event as soon as it happens."""
        event = await anext(self._events)
        self._recorder.take(event)
        return event
