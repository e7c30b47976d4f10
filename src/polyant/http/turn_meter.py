"""What a turn took and cost, for the turn log, the metrics and the request's log line."""

import asyncio
from types import TracebackType
from typing import Self, assert_never

from polyant.domain.chat import (
    StepFinished,
    SupervisorEvent,
    TextDelta,
    ToolFinished,
    ToolStarted,
    TurnFinished,
    Usage,
)
from polyant.domain.errors import ProviderError, ProviderFailure, ServerShuttingDownError, TurnTimeoutError
from polyant.domain.instances import Instance
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.turn_log import TurnLog
from polyant.domain.turn_records import TurnOutcome, TurnRecord
from polyant.http.errors import ClientGoneError
from polyant.http.metrics import Metrics
from polyant.http.record import RequestRecord


class TurnBook:
    """Takes down every turn."""

    def __init__(self, *, turn_log: TurnLog, metrics: Metrics, clock: Clock) -> None:
        self.turn_log = turn_log
        self.metrics = metrics
        self.clock = clock

    def meter(self, instance: Instance, request: RequestRecord, *, streamed: bool) -> "TurnMeter":
        """Returns the meter of a turn that is about to run for that request."""
        return TurnMeter(self, instance, request, streamed=streamed)


class TurnMeter:
    """Measures one turn while it is entered, and takes it down when it is left."""

    __slots__ = (
        "_book",
        "_failed_tool_calls",
        "_first_token",
        "_instance",
        "_request",
        "_started",
        "_started_at",
        "_steps",
        "_streamed",
        "_tool_calls",
        "usage",
    )

    def __init__(self, book: TurnBook, instance: Instance, request: RequestRecord, *, streamed: bool) -> None:
        self._book = book
        self._instance = instance
        self._request = request
        self._streamed = streamed
        self._first_token: float | None = None
        self._tool_calls = 0
        self._failed_tool_calls = 0
        self._steps = 0
        self.usage = Usage()
        """What the model calls have cost so far."""

    def __enter__(self) -> Self:
        """Begins to measure."""
        self._started_at = self._book.clock.now()
        self._started = self._book.clock.monotonic()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Takes the turn down."""
        record = TurnRecord(
            slug=self._instance.slug,
            request_id=self._request.request_id,
            at=self._started_at,
            outcome=_outcome_of(error),
            milliseconds=self._milliseconds(),
            first_token_milliseconds=self._first_token,
            steps=self._steps,
            tool_calls=self._tool_calls,
            failed_tool_calls=self._failed_tool_calls,
            prompt_tokens=self.usage.prompt_tokens,
            completion_tokens=self.usage.completion_tokens,
            streamed=self._streamed,
        )
        self._request.turn = record
        self._book.turn_log.note(record)
        self._book.metrics.turn(record, provider=self._instance.provider)

    def take(self, event: SupervisorEvent) -> None:
        """Notes what an event of the turn tells."""
        match event:
            case TextDelta():
                if self._first_token is None:
                    self._first_token = self._milliseconds()
            case ToolStarted():
                pass
            case ToolFinished():
                self._tool_calls += 1
                self._failed_tool_calls += not event.ok
                self._book.metrics.tool(event)
            case StepFinished() | TurnFinished():  # of a turn that doesn't finish, the last step is what is known
                self._steps = event.steps
                self.usage = event.usage
            case never:
                assert_never(never)

    def _milliseconds(self) -> float:
        return round((self._book.clock.monotonic() - self._started) * 1_000, 3)


def _outcome_of(error: BaseException | None) -> TurnOutcome:
    match error:
        case None:
            return TurnOutcome.FINISHED
        case ClientGoneError() | asyncio.CancelledError():
            return TurnOutcome.ABANDONED
        case ServerShuttingDownError():
            return TurnOutcome.SHUTDOWN
        case TurnTimeoutError():
            return TurnOutcome.TIMED_OUT
        case ProviderError() if error.kind is ProviderFailure.TIMEOUT:
            return TurnOutcome.TIMED_OUT
        case _:
            return TurnOutcome.FAILED
