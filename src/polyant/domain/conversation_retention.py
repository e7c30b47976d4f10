"""Deletes expired messages in the background of a server."""

import asyncio
import contextlib
import logging
from datetime import timedelta
from types import TracebackType
from typing import Self

from polyant.domain.conversation_removal import ConversationRemoval
from polyant.domain.errors import PolyantError
from polyant.domain.injectables import ConversationDays
from polyant.domain.ports.clock import Clock

PAUSE_SECONDS = 600.0
"""The time between two searches for expired messages."""

_FIRST_SECONDS = 5.0
_BATCH_PAUSE_SECONDS = 0.2

_logger = logging.getLogger("polyant")


class ConversationRetention:
    """Deletes messages older than CONVERSATION_DAYS, while its context is entered.

    Every server process does it; a batch that another one has deleted is empty.

    Args:
        removal: Deletes messages.
        days: The number of days for which messages are kept.
        clock: Determines the age of messages and the pauses.
    """

    def __init__(self, *, removal: ConversationRemoval, days: ConversationDays, clock: Clock) -> None:
        self._removal = removal
        self._max_age = timedelta(days=days)
        self._clock = clock
        self._running: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Starts the deletion in the background."""
        self._running = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Ends it; a batch that has begun may be rolled back."""
        if self._running is not None:
            self._running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._running

    async def expire(self) -> None:
        """Deletes all messages that are too old, with pauses between batches.

        Raises:
            StorageUnavailableError: The store is unavailable.
        """
        complete = False
        while not complete:
            _, complete = await self._removal.expire_batch(self._clock.now() - self._max_age)
            if not complete:
                await self._clock.sleep(_BATCH_PAUSE_SECONDS)

    async def _run(self) -> None:
        await self._clock.sleep(_FIRST_SECONDS)
        while True:
            try:
                await self.expire()
            except PolyantError as error:
                _logger.warning("Expired messages can't be deleted now: %s", error.message)
            await self._clock.sleep(PAUSE_SECONDS)
