"""Use case: run a turn for any type of caller."""

import asyncio
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Self

import msgspec

from polyant.domain.chat import ChatRequest, SupervisorEvent, Turn, Usage, any_has_media
from polyant.domain.conversation_turn import ConversationTurn
from polyant.domain.instances import Instance
from polyant.domain.limits import TurnBudget
from polyant.domain.media.supervisor import MediaSupervisor
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.supervisor import Supervisor
from polyant.domain.ports.token_source import TokenSource
from polyant.domain.running_turns import Interruption, RunningTurn, RunningTurns
from polyant.domain.turn_context import TurnContext
from polyant.domain.turn_observation import TurnObservation
from polyant.domain.turn_recorder import TurnRecorder
from polyant.domain.turn_recording import TurnRecording
from polyant.domain.turn_records import ObservedTurn, TurnRecord
from polyant.domain.turn_tracing import TurnTracing

_DEADLINE_MARGIN_SECONDS = 0.1
"""Lets a model or tool that enforces the deadline itself report first, with a more specific error."""


class RunTurn:
    """Runs the turns of /v1, the playground and channels, so that limits and metrics apply to all of them.

    Args:
        supervisor: Runs the turn itself.
        media: Runs the turns whose messages contain media.
        turns: Admits the turn among the running turns of this process.
        observation: Notifies the observers.
        clock: Measures durations.
        tokens: Generates turn ids.
        budget: The server's turn budget; an instance's own limits override parts of it.
        tracing: Determines the trace that the turn passes on; without it, the caller's own.
        recording: Creates recorders for observers that ask for more than the events of turns.
    """

    def __init__(
        self,
        *,
        supervisor: Supervisor,
        media: MediaSupervisor,
        turns: RunningTurns,
        observation: TurnObservation,
        clock: Clock,
        tokens: TokenSource,
        budget: TurnBudget,
        tracing: TurnTracing | None = None,
        recording: TurnRecording | None = None,
    ) -> None:
        self._supervisor = supervisor
        self._media = media
        self._turns = turns
        self._observation = observation
        self._clock = clock
        self._tokens = tokens
        self._budget = budget
        self._tracing = tracing
        self._recording = recording if recording is not None and recording.is_needed else None

    def __call__(
        self,
        instance: Instance,
        request: ChatRequest,
        context: TurnContext,
        conversation: ConversationTurn | None = None,
    ) -> "TurnRun":
        """Returns the turn of an authorised caller; it starts when its context is entered.

        Args:
            instance: The instance.
            request: The request.
            context: The origin of the request.
            conversation: The stored conversation that the request continues, if any.
        """
        started = self._clock.monotonic()
        budget = instance.limits.applied_to(self._budget)
        turn_id = self._tokens.turn_id()
        if self._tracing is not None:
            trace = self._tracing.begin(context.trace, turn_id)
            if trace is not context.trace:
                context = msgspec.structs.replace(context, trace=trace)
        observed = ObservedTurn(
            id=turn_id,
            context=context,
            instance_id=instance.id,
            slug=instance.slug,
            provider=instance.provider,
            model=instance.model,
            streamed=request.stream,
            started_at=self._clock.now(),
        )
        recorder: TurnRecorder
        if self._recording is None:
            traced = None
            recorder = TurnRecorder(observed, self._observation, self._clock, started=started)
        else:
            traced = recorder = self._recording.recorder(
                observed, self._observation, self._clock, started=started, instance=instance, request=request
            )
        turn = Turn(
            instance=instance,
            context=context,
            budget=budget,
            deadline=started + budget.turn_seconds,
            messages=request.messages,
            caller_instructions=request.caller_instructions,
            sampling=request.sampling,
            provider_fields=request.provider_fields,
            stream=request.stream,
            recorder=traced,
        )
        with_media = conversation is not None or any_has_media(turn.messages)
        supervisor = self._media if with_media else self._supervisor
        return TurnRun(
            turn,
            supervisor=supervisor,
            turns=self._turns,
            recorder=recorder,
            clock=self._clock,
            conversation=conversation,
        )


class TurnRun(AsyncIterator[SupervisorEvent]):
    """One turn: enter it as an asynchronous context manager and iterate over its events inside.

    Entering admits the turn. Exiting abandons running work: when the `async with` block ends, the model call and all
    tools have ended and the slot is free. At the turn's deadline, the task that entered the turn is cancelled, even if
    it isn't waiting for the next event, and TurnTimeoutError replaces the cancellation.

    Raises:
        ServerBusyError: Too many turns are running.
        ServerShuttingDownError: The server is shutting down, or the shutdown interrupted this turn.
        TurnTimeoutError: The turn didn't finish by its deadline.
        CallerGoneError: `interrupt` was called because the caller disconnected.
        LeaseLostError: Another process has taken over the turn's conversation.
    """

    def __init__(
        self,
        turn: Turn,
        *,
        supervisor: Supervisor,
        turns: RunningTurns,
        recorder: TurnRecorder,
        clock: Clock,
        conversation: ConversationTurn | None = None,
    ) -> None:
        self._turn = turn
        self._conversation = conversation
        self._events = (
            supervisor.run(turn)
            if conversation is None
            else conversation.run(turn, recorder.turn_id, supervisor, self._lose_conversation)
        )
        self._turns = turns
        self._recorder = recorder
        self._clock = clock
        self._running: RunningTurn
        self._timer: asyncio.TimerHandle
        self.record: TurnRecord | None = None
        """The outcome and metrics, set when the turn's context exits."""

    @property
    def instance(self) -> Instance:
        """The instance that runs the turn."""
        return self._turn.instance

    @property
    def keeps_conversation(self) -> bool:
        """Whether the turn is stored in the caller's conversation."""
        return self._conversation is not None

    @property
    def usage(self) -> Usage:
        """The tokens of all model calls so far."""
        return self._recorder.usage

    def interrupt(self, reason: Interruption) -> None:
        """Interrupts the turn; does nothing after its end."""
        self._running.interrupt(reason)

    def lose_caller(self) -> None:
        """Interrupts the turn because the caller no longer waits; does nothing after its end."""
        self.interrupt(Interruption.CALLER_GONE)

    def _lose_conversation(self) -> None:
        self.interrupt(Interruption.LEASE_LOST)

    async def __aenter__(self) -> Self:
        """Admits the turn and starts its deadline timer."""
        if self._recorder.needs_preparation:
            await self._recorder.prepare()
        self._running = self._turns.admit(from_channel=self._turn.context.is_from_channel)
        seconds = self._turn.deadline - self._clock.monotonic() + _DEADLINE_MARGIN_SECONDS
        self._timer = asyncio.get_running_loop().call_later(seconds, self._running.interrupt, Interruption.DEADLINE)
        self._recorder.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Abandons running work, frees the slot and reports the outcome."""
        last = error
        try:
            await self._events.aclose()  # may be interrupted too
        except BaseException as closing_error:  # noqa: BLE001 - raised again below
            last = closing_error
        self._timer.cancel()
        outcome = self._running.end(last)
        self._turns.release(self._running)
        self.record = self._recorder.finish(outcome)
        if outcome is None or outcome is error:
            return
        try:
            raise outcome from None
        finally:
            del last, outcome  # else this frame would refer to itself, and keep the turn until garbage is collected

    async def __anext__(self) -> SupervisorEvent:
        """Returns the next event as soon as it happens."""
        event = await anext(self._events)
        self._recorder.take(event)
        return event
