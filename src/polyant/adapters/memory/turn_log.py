"""Turn metrics in memory."""

from collections import deque
from collections.abc import Mapping
from datetime import datetime, timedelta

from polyant.domain.injectables import TurnLogDays
from polyant.domain.instances import Slug
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.turn_log import TurnLog
from polyant.domain.turn_records import FAILED_OUTCOMES, TurnActivity, TurnFigures, TurnPage, TurnRecord

_MAX_TURNS = 10_000
_MAX_SEARCHED = 5_000


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
        oldest = self._oldest()
        found = sorted(self._since(slug, max(oldest, since or oldest)), key=lambda record: record.at)
        found.reverse()  # the sort is stable: the last of several turns with equal times comes first
        return TurnPage(tuple(found[offset : offset + limit]), len(found))

    async def activity(self, begins: Mapping[Slug, datetime], *, since: datetime) -> Mapping[Slug, TurnActivity]:
        return {slug: self._activity(slug, max(begin, self._oldest()), since) for slug, begin in begins.items()}

    async def figures(self, slug: Slug, *, since: datetime) -> TurnFigures:
        found = self._since(slug, max(since, self._oldest()))
        durations = sorted(record.milliseconds for record in found)
        return TurnFigures(
            turns=len(found),
            failed=sum(record.outcome in FAILED_OUTCOMES for record in found),
            median_milliseconds=durations[(len(durations) - 1) // 2] if durations else None,
            prompt_tokens=sum(record.prompt_tokens for record in found),
            completion_tokens=sum(record.completion_tokens for record in found),
        )

    async def last_by_provider(self) -> Mapping[str, TurnRecord]:
        oldest, latest = self._oldest(), [*self._records][-_MAX_SEARCHED:]
        return {record.provider: record for record in latest if record.provider is not None and record.at >= oldest}

    def _activity(self, slug: Slug, begin: datetime, since: datetime) -> TurnActivity:
        found = self._since(slug, begin)
        outcomes = [record.outcome for record in found if record.at >= since]
        return TurnActivity(
            turns=len(outcomes),
            failed=sum(outcome in FAILED_OUTCOMES for outcome in outcomes),
            last_at=max((record.at for record in found), default=None),
        )

    def _since(self, slug: Slug, begin: datetime) -> tuple[TurnRecord, ...]:
        return tuple(record for record in self._records if record.slug == slug and record.at >= begin)

    def _oldest(self) -> datetime:
        return self._clock.now() - self._max_age
