"""Use case: show how instances were used in the last 24 hours."""

from collections.abc import Iterable, Mapping
from datetime import timedelta

from polyant.domain.instances import Instance, InstanceSummary, Slug
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.turn_log import TurnLog
from polyant.domain.turn_records import TurnActivity

PERIOD = timedelta(hours=24)
"""The period in which turns are counted."""


class ShowActivity:
    """Counts the recent turns of instances."""

    def __init__(self, *, turn_log: TurnLog, clock: Clock) -> None:
        self._turn_log = turn_log
        self._clock = clock

    async def __call__(self, instances: Iterable[Instance | InstanceSummary]) -> Mapping[Slug, TurnActivity]:
        """Returns the activity of each instance, in one query.

        Raises:
            StorageUnavailableError: The store is unavailable.
        """
        begins = {instance.slug: instance.created_at for instance in instances}
        return await self._turn_log.activity(begins, since=self._clock.now() - PERIOD)
