"""Audit logs that each break one promise."""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from polyant.adapters.memory.audit_log import MemoryAuditLog
from polyant.domain.audit import AuditEntry, AuditPage, AuditQuery
from polyant.domain.instances import Slug
from polyant.testing.audit_log import AuditLogContract


class WrongAuditLog(MemoryAuditLog):
    """Changes the trail that a right log reads, and the queries."""

    async def add(self, entry: AuditEntry) -> None:
        self._memory.trail = [*self.kept(self._memory.trail, entry), self.stored(entry)]

    async def list(self, query: AuditQuery) -> AuditPage:
        return await super().list(self.asked(query))

    def kept(self, trail: Sequence[AuditEntry], entry: AuditEntry) -> Iterable[AuditEntry]:
        """Returns the earlier entries that remain when an entry is added."""
        return trail

    def stored(self, entry: AuditEntry) -> AuditEntry:
        return entry

    def asked(self, query: AuditQuery) -> AuditQuery:
        return query


class FilteringAuditLog(WrongAuditLog):
    """Applies one condition itself, in a wrong way."""

    async def list(self, query: AuditQuery) -> AuditPage:
        page = await super().list(replace(self.others(query), limit=10_000, offset=0))
        found = [entry for entry in page.entries if self.matches(entry, query)]
        return AuditPage(tuple(found[query.offset : query.offset + query.limit]), len(found))

    def others(self, query: AuditQuery) -> AuditQuery:
        """Returns the query without the condition."""
        return query

    def matches(self, entry: AuditEntry, query: AuditQuery) -> bool:
        return True


class TrailContract(AuditLogContract):
    wrong: type[MemoryAuditLog]

    @pytest.fixture
    def audit_log(self) -> MemoryAuditLog:
        return self.wrong()


class TestRight(TrailContract):
    wrong = FilteringAuditLog


class OneEntryAMoment(WrongAuditLog):
    """Has the time as its primary key."""

    def kept(self, trail: Sequence[AuditEntry], entry: AuditEntry) -> Iterable[AuditEntry]:
        return [each for each in trail if each.at != entry.at]


class TestEqualTimesLost(TrailContract):
    wrong = OneEntryAMoment


class DropsEqual(WrongAuditLog):
    """Takes an equal entry for a repeated call."""

    def kept(self, trail: Sequence[AuditEntry], entry: AuditEntry) -> Iterable[AuditEntry]:
        return [each for each in trail if each != entry]


class TestEqualEntriesMerged(TrailContract):
    wrong = DropsEqual


class KeepsHundred(WrongAuditLog):
    """Keeps a ring of entries."""

    def kept(self, trail: Sequence[AuditEntry], entry: AuditEntry) -> Iterable[AuditEntry]:
        return trail[-99:]


class TestHundredKept(TrailContract):
    wrong = KeepsHundred


class KeepsOneYear(WrongAuditLog):
    """Drops what is older than a year."""

    def kept(self, trail: Sequence[AuditEntry], entry: AuditEntry) -> Iterable[AuditEntry]:
        return [each for each in trail if each.at > entry.at - timedelta(days=365)]


class TestOldEntriesDropped(TrailContract):
    wrong = KeepsOneYear


class ReadsThenWrites(MemoryAuditLog):
    """Reads the file, and writes it with one entry more."""

    async def add(self, entry: AuditEntry) -> None:
        trail = [*self._memory.trail]
        await asyncio.sleep(0)
        self._memory.trail = [*trail, entry]


class TestConcurrentEntriesLost(TrailContract):
    wrong = ReadsThenWrites


class TruncatesTimes(WrongAuditLog):
    """Stores milliseconds."""

    def stored(self, entry: AuditEntry) -> AuditEntry:
        return replace(entry, at=entry.at.replace(microsecond=entry.at.microsecond // 1_000 * 1_000))


class TestTimesTruncated(TrailContract):
    wrong = TruncatesTimes


class JoinsDetails(WrongAuditLog):
    """Stores the details in one column, with commas between."""

    def stored(self, entry: AuditEntry) -> AuditEntry:
        return replace(entry, details=tuple(",".join(entry.details).split(",") if entry.details else ()))


class TestDetailsJoined(TrailContract):
    wrong = JoinsDetails


class SortsDetails(WrongAuditLog):
    """Stores the details as a set."""

    def stored(self, entry: AuditEntry) -> AuditEntry:
        return replace(entry, details=tuple(sorted(set(entry.details))))


class TestDetailsSorted(TrailContract):
    wrong = SortsDetails


class TruncatesActors(WrongAuditLog):
    """Has a column of 255 characters."""

    def stored(self, entry: AuditEntry) -> AuditEntry:
        return replace(entry, actor=entry.actor[:255])


class TestActorsTruncated(TrailContract):
    wrong = TruncatesActors


class OldestFirst(MemoryAuditLog):
    async def list(self, query: AuditQuery) -> AuditPage:
        page = await super().list(replace(query, limit=10_000, offset=0))
        return AuditPage(page.entries[::-1][query.offset : query.offset + query.limit], page.total)


class TestOldestFirst(TrailContract):
    wrong = OldestFirst


class StorageOrder(MemoryAuditLog):
    """Lists entries in the order in which they were stored."""

    async def list(self, query: AuditQuery) -> AuditPage:
        page = await super().list(replace(query, limit=10_000, offset=0))
        entries = [entry for entry in self._memory.trail[::-1] if entry in page.entries]
        return AuditPage(tuple(entries[query.offset : query.offset + query.limit]), page.total)


class TestOrderOfStorage(TrailContract):
    wrong = StorageOrder


class EqualTimesReversed(MemoryAuditLog):
    """Sorts by time alone, so that entries of the same moment come in the order of storage."""

    async def list(self, query: AuditQuery) -> AuditPage:
        page = await super().list(replace(query, limit=10_000, offset=0))
        entries = sorted(page.entries, key=lambda each: each.at)[::-1]
        return AuditPage(tuple(entries[query.offset : query.offset + query.limit]), page.total)


class TestEqualTimesReversed(TrailContract):
    wrong = EqualTimesReversed


class SortsPage(MemoryAuditLog):
    """Selects the page from the oldest entries, and sorts it afterwards."""

    async def list(self, query: AuditQuery) -> AuditPage:
        page = await super().list(replace(query, limit=10_000, offset=0))
        selected = page.entries[::-1][query.offset : query.offset + query.limit]
        return AuditPage(selected[::-1], page.total)


class TestPageOfOldest(TrailContract):
    wrong = SortsPage


class RepeatsRow(MemoryAuditLog):
    """Continues at the last entry of the page before, as with a cursor that is inclusive."""

    async def list(self, query: AuditQuery) -> AuditPage:
        return await super().list(replace(query, offset=max(0, query.offset - 1)))


class TestRowRepeated(TrailContract):
    wrong = RepeatsRow


class SkipsEqualTimes(MemoryAuditLog):
    """Continues after the time of the last entry of the page before."""

    async def list(self, query: AuditQuery) -> AuditPage:
        page = await super().list(replace(query, limit=10_000, offset=0))
        last: datetime | None = page.entries[query.offset - 1].at if 0 < query.offset <= page.total else None
        rest = [entry for entry in page.entries[query.offset :] if last is None or entry.at < last]
        return AuditPage(tuple(rest[: query.limit]), page.total)


class TestEqualTimesSkipped(TrailContract):
    wrong = SkipsEqualTimes


class OffsetInPages(WrongAuditLog):
    """Uses the offset as the number of the page."""

    def asked(self, query: AuditQuery) -> AuditQuery:
        return replace(query, offset=query.offset * query.limit)


class TestOffsetInPages(TrailContract):
    wrong = OffsetInPages


class ZeroIsNoLimit(WrongAuditLog):
    def asked(self, query: AuditQuery) -> AuditQuery:
        return replace(query, limit=query.limit or 10_000)


class TestZeroIsNoLimit(TrailContract):
    wrong = ZeroIsNoLimit


class CountsPage(MemoryAuditLog):
    """Reports the size of the page as the total."""

    async def list(self, query: AuditQuery) -> AuditPage:
        page = await super().list(query)
        return AuditPage(page.entries, len(page.entries))


class TestTotalOfPage(TrailContract):
    wrong = CountsPage


class CountsWithRows(MemoryAuditLog):
    """Reads the total from the first row of the page, which an empty page doesn't have."""

    async def list(self, query: AuditQuery) -> AuditPage:
        page = await super().list(query)
        return AuditPage(page.entries, page.total if page.entries else 0)


class TestTotalOfEmptyPage(TrailContract):
    wrong = CountsWithRows


class CountsAll(MemoryAuditLog):
    """Reports the number of all entries as the total."""

    async def list(self, query: AuditQuery) -> AuditPage:
        page = await super().list(query)
        return AuditPage(page.entries, len(self._memory.trail))


class TestTotalOfAll(TrailContract):
    wrong = CountsAll


class InstancesByPrefix(FilteringAuditLog):
    def others(self, query: AuditQuery) -> AuditQuery:
        return replace(query, instance=None)

    def matches(self, entry: AuditEntry, query: AuditQuery) -> bool:
        return query.instance is None or (entry.instance or Slug("")).startswith(query.instance)


class TestInstancesByPrefix(TrailContract):
    wrong = InstancesByPrefix


class EntriesOfTheServerAlways(FilteringAuditLog):
    """Lists entries without an instance for each instance."""

    def others(self, query: AuditQuery) -> AuditQuery:
        return replace(query, instance=None)

    def matches(self, entry: AuditEntry, query: AuditQuery) -> bool:
        return query.instance in {None, entry.instance} or entry.instance is None


class TestEntriesWithoutInstanceListed(TrailContract):
    wrong = EntriesOfTheServerAlways


class InstanceForgotten(WrongAuditLog):
    """Lists the entries of all instances."""

    def asked(self, query: AuditQuery) -> AuditQuery:
        return replace(query, instance=None)


class TestInstanceForgotten(TrailContract):
    wrong = InstanceForgotten


class AuthorsOnly(FilteringAuditLog):
    def others(self, query: AuditQuery) -> AuditQuery:
        return replace(query, user=None)

    def matches(self, entry: AuditEntry, query: AuditQuery) -> bool:
        return query.user in {None, entry.actor}


class TestAffectedUserForgotten(TrailContract):
    wrong = AuthorsOnly


class AffectedOnly(FilteringAuditLog):
    def others(self, query: AuditQuery) -> AuditQuery:
        return replace(query, user=None)

    def matches(self, entry: AuditEntry, query: AuditQuery) -> bool:
        return query.user in {None, entry.user}


class TestAuthorForgotten(TrailContract):
    wrong = AffectedOnly


class UsersByPrefix(FilteringAuditLog):
    def others(self, query: AuditQuery) -> AuditQuery:
        return replace(query, user=None)

    def matches(self, entry: AuditEntry, query: AuditQuery) -> bool:
        return query.user is None or any((each or "").startswith(query.user) for each in (entry.actor, entry.user))


class TestUsersByPrefix(TrailContract):
    wrong = UsersByPrefix


class UsersFolded(FilteringAuditLog):
    """Ignores case and the spaces around."""

    def others(self, query: AuditQuery) -> AuditQuery:
        return replace(query, user=None)

    def matches(self, entry: AuditEntry, query: AuditQuery) -> bool:
        known = {(each or "").casefold() for each in (entry.actor, entry.user)}
        return query.user is None or query.user.strip().casefold() in known


class TestUsersFolded(TrailContract):
    wrong = UsersFolded


class ActionsByPrefix(FilteringAuditLog):
    def others(self, query: AuditQuery) -> AuditQuery:
        return replace(query, action=None)

    def matches(self, entry: AuditEntry, query: AuditQuery) -> bool:
        return query.action is None or entry.action.startswith(query.action)


class TestActionsByPrefix(TrailContract):
    wrong = ActionsByPrefix


class WholeActions(FilteringAuditLog):
    def others(self, query: AuditQuery) -> AuditQuery:
        return replace(query, action=None)

    def matches(self, entry: AuditEntry, query: AuditQuery) -> bool:
        return query.action in {None, entry.action}


class TestActionsWhole(TrailContract):
    wrong = WholeActions


class ActionsByPattern(FilteringAuditLog):
    """Compares with LIKE, and doesn't escape `%`."""

    def others(self, query: AuditQuery) -> AuditQuery:
        return replace(query, action=None)

    def matches(self, entry: AuditEntry, query: AuditQuery) -> bool:
        start = (query.action or "").partition("%")[0]
        has_pattern = "%" in (query.action or "")
        is_part = f"{entry.action}.".startswith(f"{query.action}.")
        return query.action is None or is_part or (has_pattern and entry.action.startswith(start))


class TestActionsByPattern(TrailContract):
    wrong = ActionsByPattern


class AnyCondition(FilteringAuditLog):
    """Joins the conditions with OR."""

    def others(self, query: AuditQuery) -> AuditQuery:
        return AuditQuery()

    def matches(self, entry: AuditEntry, query: AuditQuery) -> bool:
        given = [
            *([] if query.instance is None else [entry.instance == query.instance]),
            *([] if query.user is None else [query.user in {entry.actor, entry.user}]),
            *([] if query.action is None else [f"{entry.action}.".startswith(f"{query.action}.")]),
        ]
        in_time = (query.since is None or entry.at >= query.since) and (query.until is None or entry.at < query.until)
        return in_time and (not given or any(given))


class TestAnyCondition(TrailContract):
    wrong = AnyCondition


class SinceExclusive(WrongAuditLog):
    def asked(self, query: AuditQuery) -> AuditQuery:
        return replace(query, since=query.since and query.since + timedelta(microseconds=1))


class TestSinceExclusive(TrailContract):
    wrong = SinceExclusive


class UntilInclusive(WrongAuditLog):
    def asked(self, query: AuditQuery) -> AuditQuery:
        return replace(query, until=query.until and query.until + timedelta(microseconds=1))


class TestUntilInclusive(TrailContract):
    wrong = UntilInclusive


class LocalTimes(WrongAuditLog):
    """Drops the time zone."""

    def asked(self, query: AuditQuery) -> AuditQuery:
        return replace(query, since=_as_utc(query.since), until=_as_utc(query.until))


def _as_utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.replace(tzinfo=UTC)


class TestTimeZonesIgnored(TrailContract):
    wrong = LocalTimes
