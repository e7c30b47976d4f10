"""Turn metrics in memory."""

from collections import deque
from datetime import datetime, timedelta

from polyant.domain.injectables import TurnLogDays
from polyant.domain.instances import Slug
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.turn_log import TurnLog
from polyant.domain.turn_records import TurnPage, TurnRecord

_MAX_TURNS = 10_000


class MemoryTurnLog(TurnLog):
    """Keeps the latest 10,000 turns of all instances.

    Args:
        clock: Determines the age of records.
        turn_log_days: How many days a record is kept.
    """

    def __init__(self, *, clock: Clock, turn_log_days: TurnLogDays) -> None:
        self._clock = clock
        self._max_age = timedelta(days=turn_log_days)
        self._records: deque[TurnRecord] = deque(maxlen=_MAX_TURNS)

    def note(self, record: TurnRecord) -> None:
        self._records.append(record)

    async def list(self, slug: Slug, *, limit: int, offset: int = 0, since: datetime | None = None) -> TurnPage:
        oldest = self._clock.now() - self._max_age
        found = [
            record for record in self._records if record.slug == slug and record.at >= max(oldest, since or oldest)
        ]
        found.sort(key=lambda record: record.at)
        found.reverse()  # the sort is stable: the last of several turns with equal times comes first
        return TurnPage(tuple(found[offset : offset + limit]), len(found))
