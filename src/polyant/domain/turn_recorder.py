"""Measurement of one turn, reported to the observers."""

import asyncio
from typing import assert_never

from polyant.domain.chat import (
    StepFinished,
    SupervisorEvent,
    TextDelta,
    ToolFinished,
    ToolStarted,
    TurnFinished,
    Usage,
)
from polyant.domain.errors import (
    PolyantError,
    ProviderError,
    ProviderFailure,
    ServerShuttingDownError,
    TurnTimeoutError,
)
from polyant.domain.ports.clock import Clock
from polyant.domain.running_turns import CallerGoneError
from polyant.domain.turn_observation import TurnObservation
from polyant.domain.turn_records import FAILED_OUTCOMES, ObservedTurn, TurnOutcome, TurnRecord

_UNEXPECTED = "An internal error. The log has its details, with the request id"
_MAX_REASON_CHARACTERS = 300


class TurnRecorder:
    """Collects the metrics of one turn from its events.

    Args:
        turn: The turn.
        observation: Notifies the observers.
        clock: Measures durations.
        started: The clock's `monotonic` seconds at the creation of the turn.
    """

    needs_preparation = False
    """Whether `prepare` has to be called before the turn starts."""

    __slots__ = (
        "_clock",
        "_failed_tool_calls",
        "_first_token",
        "_observation",
        "_started",
        "_steps",
        "_tool_calls",
        "_turn",
        "usage",
    )

    def __init__(self, turn: ObservedTurn, observation: TurnObservation, clock: Clock, *, started: float) -> None:
        self._turn = turn
        self._observation = observation
        self._clock = clock
        self._started = started
        self._first_token: float | None = None
        self._tool_calls = 0
        self._failed_tool_calls = 0
        self._steps = 0
        self.usage = Usage()
        """The tokens of all model calls so far."""

    async def prepare(self) -> None:
        """Prepares what the recorder needs; only if `needs_preparation`."""

    @property
    def turn_id(self) -> str:
        """The id of the turn."""
        return self._turn.id

    def start(self) -> None:
        """Reports the start of the turn."""
        self._observation.turn_started(self._turn)

    def take(self, event: SupervisorEvent) -> None:
        """Adds an event of the turn to its metrics."""
        match event:
            case TextDelta():
                if self._first_token is None:
                    self._first_token = self._milliseconds()
            case ToolStarted():
                pass
            case ToolFinished():
                self._tool_calls += 1
                self._failed_tool_calls += not event.ok
                self._observation.tool_finished(self._turn, event, elapsed=self._elapsed())
            case StepFinished():  # if the turn doesn't finish, its last step has the only known totals
                self._steps, self.usage = event.steps, event.usage
                self._observation.step_finished(self._turn, event, elapsed=self._elapsed())
            case TurnFinished():
                self._steps, self.usage = event.steps, event.usage
            case never:
                assert_never(never)

    def finish(self, error: BaseException | None) -> TurnRecord:
        """Reports the end of the turn and returns its record; `error` is None for a turn that succeeded."""
        turn, usage, outcome = self._turn, self.usage.clamped, _outcome_of(error)
        record = TurnRecord(
            slug=turn.slug,
            provider=turn.provider,
            request_id=turn.context.request_id,
            at=turn.started_at,
            outcome=outcome,
            milliseconds=self._milliseconds(),
            first_token_milliseconds=self._first_token,
            steps=self._steps,
            tool_calls=self._tool_calls,
            failed_tool_calls=self._failed_tool_calls,
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            cached_tokens=usage.cached_tokens,
            streamed=turn.streamed,
            error=_reason_of(error) if outcome in FAILED_OUTCOMES else None,
        )
        self._observation.turn_finished(turn, record)
        return record

    def _elapsed(self) -> float:
        return self._clock.monotonic() - self._started

    def _milliseconds(self) -> float:
        return round(self._elapsed() * 1_000, 3)


def _reason_of(error: BaseException | None) -> str:
    """Returns what an operator may read about an error; an unexpected one may contain anything."""
    reason = error.explanation if isinstance(error, PolyantError) else _UNEXPECTED
    return reason if len(reason) <= _MAX_REASON_CHARACTERS else f"{reason[:_MAX_REASON_CHARACTERS]}…"


def _outcome_of(error: BaseException | None) -> TurnOutcome:
    match error:
        case None:
            return TurnOutcome.FINISHED
        case CallerGoneError() | asyncio.CancelledError():
            return TurnOutcome.ABANDONED
        case ServerShuttingDownError():
            return TurnOutcome.SHUTDOWN
        case TurnTimeoutError():
            return TurnOutcome.TIMED_OUT
        case ProviderError() if error.kind is ProviderFailure.TIMEOUT:
            return TurnOutcome.TIMED_OUT
        case _:
            return TurnOutcome.FAILED
