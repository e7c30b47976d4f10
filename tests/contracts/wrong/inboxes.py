"""Inboxes that each break one promise."""

import asyncio
from collections.abc import Sequence
from datetime import date

import pytest
from msgspec.structs import replace

from polyant.adapters.memory.conversation_tables import LaneRow
from polyant.adapters.memory.inbox import MemoryInbox
from polyant.domain.conversations import WrappedKey
from polyant.domain.errors import LeaseLostError, UnknownConversationError
from polyant.domain.lane_work import (
    Delivery,
    EventFilter,
    EventId,
    EventPage,
    EventState,
    LaneWork,
    ReceivedEvent,
    StoredEvent,
    TurnResult,
)
from polyant.domain.lanes import Lease
from polyant.testing.inbox import InboxContract
from support.conversation_stores import MemoryConversationStoreRig


class MemoryContract(InboxContract):
    inbox: type[MemoryInbox]

    @pytest.fixture
    def rig(self) -> MemoryConversationStoreRig:
        rig = MemoryConversationStoreRig()
        rig.inbox = self.inbox(store=rig.store, clock=rig.clock)
        return rig


class ChecksThenInserts(MemoryInbox):
    """Looks for the event in one query, and inserts in the next."""

    async def receive(self, events: Sequence[ReceivedEvent]) -> tuple[bool, ...]:
        known = [self._tables.event_of(each.lane.channel, each.lane.account, each.event_id) for each in events]
        await asyncio.sleep(0)
        for event in (each for each, found in zip(events, known, strict=True) if found is None):
            self._receive(event)
        return tuple(found is None for found in known)


class TestInsertNotAtomic(MemoryContract):
    inbox = ChecksThenInserts


class ForgetsAccount(MemoryInbox):
    """Recognises events by their ids alone."""

    def _receive(self, event: ReceivedEvent) -> bool:
        if any(known.event_id == event.event_id for known in self._tables.events.values()):
            return False
        return super()._receive(event)


class TestAccountForgotten(MemoryContract):
    inbox = ForgetsAccount


class TruncatesIds(MemoryInbox):
    """Recognises events by the first 64 characters of their ids."""

    def _receive(self, event: ReceivedEvent) -> bool:
        if any(known.event_id[:64] == event.event_id[:64] for known in self._of_account(event)):
            return False
        return super()._receive(event)

    def _of_account(self, event: ReceivedEvent) -> list[StoredEvent]:
        account = (event.lane.channel, event.lane.account)
        return [known for known in self._tables.events.values() if (known.channel, known.account) == account]


class TestIdsTruncated(MemoryContract):
    inbox = TruncatesIds


class FoldsIds(TruncatesIds):
    """Recognises events by ids without regard to case."""

    def _receive(self, event: ReceivedEvent) -> bool:
        if any(known.event_id.casefold() == event.event_id.casefold() for known in self._of_account(event)):
            return False
        return MemoryInbox._receive(self, event)


class TestIdsFolded(MemoryContract):
    inbox = FoldsIds


class ForgetsFinished(MemoryInbox):
    """Recognises open events only."""

    def _receive(self, event: ReceivedEvent) -> bool:
        known = self._tables.event_of(event.lane.channel, event.lane.account, event.event_id)
        if known is not None and known.state is not EventState.OPEN:
            del self._tables.events[known.id]
        return super()._receive(event)


class TestFinishedForgotten(MemoryContract):
    inbox = ForgetsFinished


class WakesOnDuplicates(MemoryInbox):
    """Wakes the lane with each delivery."""

    def _receive(self, event: ReceivedEvent) -> bool:
        is_new = super()._receive(event)
        if not is_new:
            self._wake(self._tables.lane(event.lane, self._now()), event)
        return is_new


class TestDuplicatesWake(MemoryContract):
    inbox = WakesOnDuplicates


class WaitsForever(MemoryInbox):
    """Puts the turn off with each event of a burst."""

    def _wake(self, row: LaneRow, event: ReceivedEvent) -> None:
        super()._wake(row, replace(event, longest_wait=1e9))


class TestBurstNeverEnds(MemoryContract):
    inbox = WaitsForever


class WakesAtOnce(MemoryInbox):
    """Makes the lane due with its first event."""

    def _wake(self, row: LaneRow, event: ReceivedEvent) -> None:
        super()._wake(row, replace(event, quiet=0.0, longest_wait=0.0))


class TestBurstIgnored(MemoryContract):
    inbox = WakesAtOnce


class LoadsOtherLanes(MemoryInbox):
    """Loads the open events of all lanes."""

    async def load(self, lease: Lease, *, limit: int) -> LaneWork:
        work = await super().load(lease, limit=limit)
        known = {event.id for event in work.events}
        others = [
            event
            for event in self._tables.events.values()
            if event.state is EventState.OPEN and event.id not in known and event.lane != lease.lane.id
        ]
        return work if work.deliveries else replace(work, events=(*work.events, *others)[:limit])


class TestOtherLanesLoaded(MemoryContract):
    inbox = LoadsOtherLanes


class IgnoresPosition(MemoryInbox):
    """Loads events in the order in which they arrived."""

    async def load(self, lease: Lease, *, limit: int) -> LaneWork:
        work = await super().load(lease, limit=10_000)
        return replace(work, events=tuple(sorted(work.events, key=lambda event: event.id))[:limit])


class TestPositionIgnored(MemoryContract):
    inbox = IgnoresPosition


class CountsEveryEvent(MemoryInbox):
    """Counts an attempt of each open event of the lane."""

    async def load(self, lease: Lease, *, limit: int) -> LaneWork:
        work = await super().load(lease, limit=10_000)
        return replace(work, events=work.events[:limit])


class TestEveryEventCounted(MemoryContract):
    inbox = CountsEveryEvent


class LoadsBoth(MemoryInbox):
    """Loads events although deliveries are open."""

    async def load(self, lease: Lease, *, limit: int) -> LaneWork:
        work = await super().load(lease, limit=limit)
        return replace(work, events=tuple(self._tables.open_events(lease.lane.id)[:limit]))


class TestEventsBesideDeliveries(MemoryContract):
    inbox = LoadsBoth


class LoadsWithoutLease(MemoryInbox):
    """Doesn't check the lease."""

    async def load(self, lease: Lease, *, limit: int) -> LaneWork:
        row = self._tables.lanes[lease.lane.id]
        epoch, owner = row.epoch, row.owner
        row.epoch, row.owner = lease.epoch, lease.owner
        try:
            return await super().load(lease, limit=limit)
        finally:
            row.epoch, row.owner = epoch, owner


class TestLoadedWithoutLease(MemoryContract):
    inbox = LoadsWithoutLease


class FinishesWithoutLease(MemoryInbox):
    """Checks the lease only if nobody has the lane."""

    async def finish(self, lease: Lease, result: TurnResult, *, seconds: float) -> tuple[Delivery, ...] | None:
        row = self._tables.lanes.get(lease.lane.id)
        if row is None or row.owner is None:
            raise LeaseLostError
        return await super().finish(replace(lease, epoch=row.epoch, owner=row.owner), result, seconds=seconds)


class TestFinishedWithoutLease(MemoryContract):
    inbox = FinishesWithoutLease


class FinishesTwice(MemoryInbox):
    """Stores a result again."""

    def _is_finished(self, result: TurnResult) -> bool:
        return False

    async def finish(self, lease: Lease, result: TurnResult, *, seconds: float) -> tuple[Delivery, ...] | None:
        stored = self._tables.deliveries
        self._tables.deliveries = {}
        try:
            return await super().finish(lease, result, seconds=seconds)
        finally:
            self._tables.deliveries |= stored


class TestFinishedTwice(MemoryContract):
    inbox = FinishesTwice


class EndsEventsFirst(MemoryInbox):
    """Ends the events in a transaction of their own."""

    async def finish(self, lease: Lease, result: TurnResult, *, seconds: float) -> tuple[Delivery, ...] | None:
        try:
            return await super().finish(lease, result, seconds=seconds)
        except UnknownConversationError:
            for number in result.events:
                self._tables.events[number] = replace(self._tables.events[number], state=result.state, payload=None)
            raise


class TestEventsEndedFirst(MemoryContract):
    inbox = EndsEventsFirst


class KeepsPayloads(MemoryInbox):
    """Keeps the payload of finished events."""

    async def finish(self, lease: Lease, result: TurnResult, *, seconds: float) -> tuple[Delivery, ...] | None:
        payloads = {number: self._tables.events[number].payload for number in result.events}
        deliveries = await super().finish(lease, result, seconds=seconds)
        for number, payload in payloads.items():
            self._tables.events[number] = replace(self._tables.events[number], payload=payload)
        return deliveries


class TestPayloadsKept(MemoryContract):
    inbox = KeepsPayloads


class IgnoresWakeUps(MemoryInbox):
    """Stores a result that is void once the lane is woken."""

    async def finish(self, lease: Lease, result: TurnResult, *, seconds: float) -> tuple[Delivery, ...] | None:
        return await super().finish(lease, replace(result, unless_woken=False), seconds=seconds)


class TestInterruptedResultStored(MemoryContract):
    inbox = IgnoresWakeUps


class KeepsLease(MemoryInbox):
    """Leaves the lease as long as it was."""

    async def finish(self, lease: Lease, result: TurnResult, *, seconds: float) -> tuple[Delivery, ...] | None:
        ends_at = self._tables.leased(lease).due_at
        deliveries = await super().finish(lease, result, seconds=seconds)
        self._tables.leased(lease).due_at = ends_at
        return deliveries


class TestLeaseNotExtended(MemoryContract):
    inbox = KeepsLease


class ReplaysAnything(MemoryInbox):
    """Opens any event again."""

    async def replay(self, event: EventId) -> None:
        known = self._tables.events.get(event)
        if known is not None:
            self._tables.events[event] = replace(known, state=EventState.DEAD)
        await super().replay(event)


class TestAnythingReplayed(MemoryContract):
    inbox = ReplaysAnything


class KeepsAttempts(MemoryInbox):
    """Opens a dead event again with its attempts, so that it is dead at once."""

    async def replay(self, event: EventId) -> None:
        known = self._tables.events.get(event)
        await super().replay(event)
        if known is not None:
            self._tables.events[event] = replace(self._tables.events[event], attempts=known.attempts)


class TestAttemptsKept(MemoryContract):
    inbox = KeepsAttempts


class OldestFirst(MemoryInbox):
    """Forgets DESC."""

    async def list(self, query: EventFilter, *, limit: int, offset: int = 0) -> EventPage:
        page = await super().list(query, limit=10_000)
        return EventPage(page.events[::-1][offset : offset + limit], page.total)


class TestOldestFirst(MemoryContract):
    inbox = OldestFirst


class LastKeyWins(MemoryInbox):
    """Overwrites the key of the day."""

    async def ingest_key(self, day: date, draft: WrappedKey | None = None) -> WrappedKey | None:
        if draft is not None:
            self._tables.ingest_keys[day.isoformat()] = draft
        return self._tables.ingest_keys.get(day.isoformat())


class TestLastKeyWins(MemoryContract):
    inbox = LastKeyWins


class OneKey(MemoryInbox):
    """Has one key for all days."""

    async def ingest_key(self, day: date, draft: WrappedKey | None = None) -> WrappedKey | None:
        return await super().ingest_key(date.min, draft)


class TestOneKeyForAllDays(MemoryContract):
    inbox = OneKey
