"""Ends the wait for a model's events at a deadline, also where the model keeps none."""

import asyncio
from collections.abc import AsyncGenerator
from types import TracebackType
from typing import Self, TypeVar

from polyant.domain.errors import TurnTimeoutError
from polyant.domain.ports.clock import Clock

EventT = TypeVar("EventT")

_GRACE_SECONDS = 1.0
"""Within this time a model keeps the deadline by itself and says better what was late."""


class Deadline:
    """Cancels a wait that lasts past the deadline, and nothing but that wait.

    `asyncio.timeout` around each wait would do the same at the price of a timer for each event; around all of them it
    would cancel whoever consumes the events.
    """

    def __init__(self, at: float, clock: Clock) -> None:
        """Takes the Clock's `monotonic` seconds."""
        self._seconds = at - clock.monotonic() + _GRACE_SECONDS
        self._task: asyncio.Task[object] | None = None
        self._waiting = False
        self._expired = False

    def __enter__(self) -> Self:
        """Starts the timer; all events are to be awaited by the task that does so."""
        self._task = asyncio.current_task()
        self._timer = asyncio.get_running_loop().call_later(self._seconds, self._expire)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stops the timer."""
        self._timer.cancel()

    async def next(self, events: AsyncGenerator[EventT, None]) -> EventT | None:
        """Returns the next event, None at the end.

        Raises:
            TurnTimeoutError: The deadline is over.
        """
        if self._expired:
            raise TurnTimeoutError
        self._waiting = True
        try:
            return await anext(events, None)
        except asyncio.CancelledError:
            if self._expired and self._task is not None and self._task.uncancel() == 0:
                raise TurnTimeoutError from None
            raise
        finally:
            self._waiting = False

    def _expire(self) -> None:
        self._expired = True
        if self._waiting and self._task is not None:
            self._task.cancel()
