"""Ends the wait for a model's events at a deadline, also where the model keeps none."""

import asyncio
from types import TracebackType
from typing import Self

from polyant.domain.errors import TurnTimeoutError
from polyant.domain.ports.clock import Clock

_GRACE_SECONDS = 1.0
"""Within this time a model keeps the deadline by itself and says better what was late."""


class Deadline:
    """Cancels a wait that lasts past the deadline, and nothing but that wait.

    `asyncio.timeout` around each wait would do the same at the price of a timer for each event; around all of them it
    would cancel whoever consumes the events: while one does, the deadline is paused.
    """

    def __init__(self, at: float, clock: Clock) -> None:
        """Takes the Clock's `monotonic` seconds."""
        self._seconds = at - clock.monotonic() + _GRACE_SECONDS
        self._task: asyncio.Task[object] | None = None
        self._waiting = True
        self._expired = False
        self._cancelled = False

    def __enter__(self) -> Self:
        """Starts the timer; all waits are to be those of the task that does so."""
        self._task = asyncio.current_task()
        self._timer = asyncio.get_running_loop().call_later(self._seconds, self._expire)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stops the timer.

        Raises:
            TurnTimeoutError: The deadline ended a wait.
        """
        self._timer.cancel()
        if self._cancelled and self._task is not None and self._task.uncancel() == 0 and kind is asyncio.CancelledError:
            raise TurnTimeoutError from None

    def pause(self) -> None:
        """Lets what is done until `resume` take as long as it likes."""
        self._waiting = False

    def resume(self) -> None:
        """Watches the waits that follow.

        Raises:
            TurnTimeoutError: The deadline is over.
        """
        self._waiting = True
        if self._expired:
            raise TurnTimeoutError

    def _expire(self) -> None:
        self._expired = True
        if self._waiting and self._task is not None:
            self._cancelled = True
            self._task.cancel()
