"""Use case: show the figures of an instance's turns in the last 24 hours."""

from polyant.domain.instances import Instance
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.turn_log import TurnLog
from polyant.domain.turn_records import TurnFigures
from polyant.domain.use_cases.show_activity import PERIOD


class ShowFigures:
    """Adds up the recent turns of one instance."""

    def __init__(self, *, turn_log: TurnLog, clock: Clock) -> None:
        self._turn_log = turn_log
        self._clock = clock

    async def __call__(self, instance: Instance) -> TurnFigures:
        """Returns the figures, without the turns of an earlier instance with the same slug.

        Raises:
            StorageUnavailableError: The store is unavailable.
        """
        since = max(self._clock.now() - PERIOD, instance.created_at)
        return await self._turn_log.figures(instance.slug, since=since)
