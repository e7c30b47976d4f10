"""The figures of recent turns, for as long as the process lives."""

from collections import deque
from datetime import datetime, timedelta

from polyant.domain.injectables import TurnLogDays
from polyant.domain.instances import Slug
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.turn_log import TurnLog
from polyant.domain.turn_records import TurnPage, TurnRecord

_MOST = 10_000


class MemoryTurnLog(TurnLog):
    """Keeps the last turns of all instances, at most 10,000."""

    def __init__(self, *, clock: Clock, turn_log_days: TurnLogDays) -> None:
        self._clock = clock
        self._age = timedelta(days=turn_log_days)
        self._records: deque[TurnRecord] = deque(maxlen=_MOST)

    def note(self, record: TurnRecord) -> None:
        self._records.append(record)

    async def list(self, slug: Slug, *, limit: int, offset: int = 0, since: datetime | None = None) -> TurnPage:
        oldest = self._clock.now() - self._age
        found = [
            record for record in self._records if record.slug == slug and record.at >= max(oldest, since or oldest)
        ]
        found.sort(key=lambda record: record.at)
        found.reverse()  # so that of one moment, too, the last one comes first
        return TurnPage(tuple(found[offset : offset + limit]), len(found))
