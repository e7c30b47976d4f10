"""Turn logs that each break one promise."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from datetime import datetime

import pytest
from msgspec.structs import replace

from polyant.adapters.memory.turn_log import MemoryTurnLog
from polyant.domain.errors import StorageUnavailableError
from polyant.domain.injectables import TurnLogDays
from polyant.domain.instances import Slug
from polyant.domain.turn_records import FAILED_OUTCOMES, TurnActivity, TurnFigures, TurnOutcome, TurnPage, TurnRecord
from polyant.testing.manual_clock import ManualClock
from polyant.testing.turn_log import DAYS, Close, TurnLogContract, TurnLogOutageContract


class MemoryContract(TurnLogContract):
    made: type[MemoryTurnLog]

    @pytest.fixture
    def turn_log(self, clock: ManualClock) -> MemoryTurnLog:
        return self.made(clock=clock, turn_log_days=TurnLogDays(DAYS))

    @pytest.fixture
    async def close(self) -> AsyncIterator[Close]:
        async with AsyncExitStack() as stack:
            yield stack.aclose


class SamplesTurns(MemoryTurnLog):
    """Stores the first of the turns that are queued, and loses the rest of a batch."""

    def note(self, record: TurnRecord) -> None:
        if len(self._records) < 1_000:
            super().note(record)


class TestTurnsLost(MemoryContract):
    made = SamplesTurns


class LosesProvider(MemoryTurnLog):
    """Lists turns without their provider."""

    async def list(self, slug: Slug, *, limit: int, offset: int = 0, since: datetime | None = None) -> TurnPage:
        page = await super().list(slug, limit=limit, offset=offset, since=since)
        return TurnPage(tuple(replace(each, provider=None) for each in page.turns), page.total)


class TestProviderLost(MemoryContract):
    made = LosesProvider


class WholeMilliseconds(MemoryTurnLog):
    """Has a column for whole milliseconds."""

    def note(self, record: TurnRecord) -> None:
        super().note(replace(record, milliseconds=float(round(record.milliseconds))))


class TestDurationsRounded(MemoryContract):
    made = WholeMilliseconds


class Seconds(MemoryTurnLog):
    """Computes figures in seconds."""

    async def figures(self, slug: Slug, *, since: datetime) -> TurnFigures:
        found = await super().figures(slug, since=since)
        median = found.median_milliseconds
        return replace(found, median_milliseconds=None if median is None else median / 1_000)


class TestMedianInSeconds(MemoryContract):
    made = Seconds


class TotalOfPage(MemoryTurnLog):
    """Counts the turns of the page."""

    async def list(self, slug: Slug, *, limit: int, offset: int = 0, since: datetime | None = None) -> TurnPage:
        page = await super().list(slug, limit=limit, offset=offset, since=since)
        return TurnPage(page.turns, len(page.turns))


class TestTotalOfPage(MemoryContract):
    made = TotalOfPage


class OldestOfTiesFirst(MemoryTurnLog):
    """Orders turns of the same moment by when they were noted, the first one first."""

    async def list(self, slug: Slug, *, limit: int, offset: int = 0, since: datetime | None = None) -> TurnPage:
        page = await super().list(slug, limit=10_000, since=since)
        ordered = [*page.turns][::-1]
        ordered.sort(key=lambda each: each.at, reverse=True)
        return TurnPage(tuple(ordered[offset : offset + limit]), page.total)


class TestTiesOldestFirst(MemoryContract):
    made = OldestOfTiesFirst


class KeepsForever(MemoryTurnLog):
    """Leaves out expired turns only once a job has removed them."""

    def _oldest(self) -> datetime:
        return datetime.min.replace(tzinfo=self._clock.now().tzinfo)


class TestExpiredTurnsListed(MemoryContract):
    made = KeepsForever


class NamesArePrefixes(MemoryTurnLog):
    """Finds slugs by their beginning."""

    def _since(self, slug: Slug, begin: datetime) -> tuple[TurnRecord, ...]:
        return tuple(each for each in self._records if each.slug.startswith(slug) and each.at >= begin)


class TestSlugsArePrefixes(MemoryContract):
    made = NamesArePrefixes


class AbandonedFail(MemoryTurnLog):
    """Counts a client that went away as a failure."""

    async def activity(self, begins: Mapping[Slug, datetime], *, since: datetime) -> Mapping[Slug, TurnActivity]:
        found = await super().activity(begins, since=since)
        failed = {*FAILED_OUTCOMES, TurnOutcome.ABANDONED}
        return {
            slug: replace(
                each, failed=sum(turn.outcome in failed for turn in self._since(slug, since) if turn.at >= begins[slug])
            )
            for slug, each in found.items()
        }


class TestAbandonedCounted(MemoryContract):
    made = AbandonedFail


class LastOfPeriod(MemoryTurnLog):
    """Looks for the last turn within the period."""

    def _activity(self, slug: Slug, begin: datetime, since: datetime) -> TurnActivity:
        return super()._activity(slug, max(begin, since), since)


class TestLastTurnOfPeriod(MemoryContract):
    made = LastOfPeriod


class OneBeginForAll(MemoryTurnLog):
    """Starts all slugs at the earliest creation."""

    async def activity(self, begins: Mapping[Slug, datetime], *, since: datetime) -> Mapping[Slug, TurnActivity]:
        return await super().activity(dict.fromkeys(begins, min(begins.values(), default=since)), since=since)


class TestOneBeginForAll(MemoryContract):
    made = OneBeginForAll


class IdleLeftOut(MemoryTurnLog):
    """Returns no activity of slugs without turns, like an inner join."""

    async def activity(self, begins: Mapping[Slug, datetime], *, since: datetime) -> Mapping[Slug, TurnActivity]:
        found = await super().activity(begins, since=since)
        return {slug: each for slug, each in found.items() if each.last_at is not None}


class TestIdleSlugsMissing(MemoryContract):
    made = IdleLeftOut


class IgnoresTimeZones(MemoryTurnLog):
    """Compares the times on the clock in activity and figures."""

    async def activity(self, begins: Mapping[Slug, datetime], *, since: datetime) -> Mapping[Slug, TurnActivity]:
        zone = self._clock.now().tzinfo
        local = {slug: begin.replace(tzinfo=zone) for slug, begin in begins.items()}
        return await super().activity(local, since=since.replace(tzinfo=zone))

    async def figures(self, slug: Slug, *, since: datetime) -> TurnFigures:
        return await super().figures(slug, since=since.replace(tzinfo=self._clock.now().tzinfo))


class TestTimeZonesIgnored(MemoryContract):
    made = IgnoresTimeZones


class AfterMoment(MemoryTurnLog):
    """Counts turns after the moment, and not those of it."""

    async def figures(self, slug: Slug, *, since: datetime) -> TurnFigures:
        records, begin = self._records, max(since, self._oldest())
        kept = [each for each in records if each.at > since or (each.at == begin and begin != since)]
        self._records = type(records)(kept, records.maxlen)
        found = await super().figures(slug, since=since)
        self._records = records
        return found


class TestFiguresAfterMoment(MemoryContract):
    made = AfterMoment


class FiguresOfPage(MemoryTurnLog):
    """Computes the figures of the latest thousand turns."""

    def _since(self, slug: Slug, begin: datetime) -> tuple[TurnRecord, ...]:
        return super()._since(slug, begin)[-1_000:]

    async def list(self, slug: Slug, *, limit: int, offset: int = 0, since: datetime | None = None) -> TurnPage:
        right = MemoryTurnLog(clock=self._clock, turn_log_days=TurnLogDays(DAYS))
        right._records = self._records
        return await right.list(slug, limit=limit, offset=offset, since=since)


class TestFiguresOfPage(MemoryContract):
    made = FiguresOfPage


class _OtherMedian(MemoryTurnLog):
    """Has another median."""

    async def figures(self, slug: Slug, *, since: datetime) -> TurnFigures:
        found = await super().figures(slug, since=since)
        durations = [each.milliseconds for each in self._since(slug, max(since, self._oldest()))]
        return replace(found, median_milliseconds=self.median(durations)) if durations else found

    def median(self, durations: list[float]) -> float:
        raise NotImplementedError


class Mean(_OtherMedian):
    """Returns the mean."""

    def median(self, durations: list[float]) -> float:
        return sum(durations) / len(durations)


class TestMedianIsMean(MemoryContract):
    made = Mean


class LongerInMiddle(_OtherMedian):
    """Returns the longer of two durations in the middle."""

    def median(self, durations: list[float]) -> float:
        return sorted(durations)[len(durations) // 2]


class TestMedianIsLonger(MemoryContract):
    made = LongerInMiddle


class Unsorted(_OtherMedian):
    """Returns the duration of the turn in the middle of the period."""

    def median(self, durations: list[float]) -> float:
        return durations[(len(durations) - 1) // 2]


class TestMedianUnsorted(MemoryContract):
    made = Unsorted


class DistinctDurations(_OtherMedian):
    """Counts equal durations once."""

    def median(self, durations: list[float]) -> float:
        distinct = sorted({*durations})
        return distinct[(len(distinct) - 1) // 2]


class TestMedianOfDistinct(MemoryContract):
    made = DistinctDurations


class ZeroWithoutTurns(MemoryTurnLog):
    """Has a median of 0 without turns."""

    async def figures(self, slug: Slug, *, since: datetime) -> TurnFigures:
        found = await super().figures(slug, since=since)
        return replace(found, median_milliseconds=found.median_milliseconds or 0.0)


class TestMedianWithoutTurns(MemoryContract):
    made = ZeroWithoutTurns


class ShortIntegers(MemoryTurnLog):
    """Adds up in 32 bits."""

    async def figures(self, slug: Slug, *, since: datetime) -> TurnFigures:
        found = await super().figures(slug, since=since)
        return replace(found, prompt_tokens=found.prompt_tokens % 2**32)


class TestSumsOverflow(MemoryContract):
    made = ShortIntegers


class LatestByTime(MemoryTurnLog):
    """Returns the turn of a provider that began last."""

    async def last_by_provider(self) -> Mapping[str, TurnRecord]:
        records = self._records
        self._records = type(records)(sorted(records, key=lambda each: each.at), records.maxlen)
        found = await super().last_by_provider()
        self._records = records
        return found


class TestLastByTime(MemoryContract):
    made = LatestByTime


class _Searches(MemoryTurnLog):
    """Searches another number of turns."""

    searched: int

    async def last_by_provider(self) -> Mapping[str, TurnRecord]:
        latest, oldest = [*self._records][-self.searched :], self._oldest()
        return {each.provider: each for each in latest if each.provider is not None and each.at >= oldest}


class SearchesAll(_Searches):
    """Searches all turns."""

    searched = 10_000


class TestAllTurnsSearched(MemoryContract):
    made = SearchesAll


class SearchesFewer(_Searches):
    """Searches one turn less."""

    searched = 4_999


class TestFewerTurnsSearched(MemoryContract):
    made = SearchesFewer


class ExpiredHides(MemoryTurnLog):
    """Drops a provider whose last turn has expired."""

    async def last_by_provider(self) -> Mapping[str, TurnRecord]:
        last = {each.provider: each for each in [*self._records][-5_000:]}
        found = await super().last_by_provider()
        return {name: each for name, each in found.items() if last[name] == each}


class TestExpiredTurnHides(MemoryContract):
    made = ExpiredHides


class Away(MemoryTurnLog):
    """A log whose store is unavailable."""

    async def list(self, slug: Slug, *, limit: int, offset: int = 0, since: datetime | None = None) -> TurnPage:
        raise StorageUnavailableError

    async def activity(self, begins: Mapping[Slug, datetime], *, since: datetime) -> Mapping[Slug, TurnActivity]:
        raise StorageUnavailableError

    async def figures(self, slug: Slug, *, since: datetime) -> TurnFigures:
        raise StorageUnavailableError

    async def last_by_provider(self) -> Mapping[str, TurnRecord]:
        raise StorageUnavailableError


class OutageContract(TurnLogOutageContract):
    made: type[MemoryTurnLog]

    @pytest.fixture
    def unavailable(self) -> MemoryTurnLog:
        return self.made(clock=ManualClock(), turn_log_days=TurnLogDays(DAYS))


class TestRightDuringAnOutage(OutageContract):
    made = Away


class NoteFails(Away):
    """Fails once its queue is full."""

    def note(self, record: TurnRecord) -> None:
        if len(self._records) == 10_000:
            raise StorageUnavailableError
        super().note(record)


class TestNoteFails(OutageContract):
    made = NoteFails


class EmptyWhileAway(Away):
    """Has no providers during an outage."""

    async def last_by_provider(self) -> Mapping[str, TurnRecord]:
        return {}


class TestEmptyDuringAnOutage(OutageContract):
    made = EmptyWhileAway
