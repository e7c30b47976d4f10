"""Repairs and cleans up the store of events while the server runs."""

import logging
from datetime import timedelta

from polyant.domain.errors import StorageUnavailableError
from polyant.domain.injectables import ConversationDays
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.conversation_maintenance import ConversationMaintenance

_logger = logging.getLogger(__name__)

_ROUND_SECONDS = 60.0
_ROUNDS_PER_CLEAN_UP = 30
_BATCH = 200
_PAUSE_SECONDS = 0.2
FINISHED_DAYS = 10
"""Platforms deliver an event again for up to 7 days."""


class TendStore:
    """Heals lanes each minute, and removes old events every half an hour.

    Args:
        maintenance: Does the work.
        clock: Determines the age of events.
        days: How many days dead letters are kept.
    """

    def __init__(self, *, maintenance: ConversationMaintenance, clock: Clock, days: ConversationDays) -> None:
        self._maintenance = maintenance
        self._days = days
        self._clock = clock

    async def run(self) -> None:
        """Works until it is cancelled."""
        number = 0
        while True:
            try:
                await self.heal()
                if number % _ROUNDS_PER_CLEAN_UP == 0:
                    await self.clean_up()
            except StorageUnavailableError:
                _logger.debug("The database doesn't respond: events are not cleaned up yet")
            except Exception:
                _logger.exception("Events can't be cleaned up")
            number += 1
            await self._clock.sleep(_ROUND_SECONDS)

    async def heal(self) -> None:
        """Makes lanes due that were forgotten, and logs them: a correct store has none."""
        lanes = await self._maintenance.heal()
        if lanes:
            _logger.error("%d lanes had work but weren't due", len(lanes))

    async def clean_up(self) -> None:
        """Removes events and deliveries that are older than their retention."""
        now = self._clock.now()
        while not await self._maintenance.expire_events(
            finished_before=now - timedelta(days=FINISHED_DAYS),
            dead_before=now - timedelta(days=self._days),
            limit=_BATCH,
        ):
            await self._clock.sleep(_PAUSE_SECONDS)
