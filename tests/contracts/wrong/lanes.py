"""Lanes that each break one promise."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from polyant.adapters.memory.conversation_tables import LaneRow
from polyant.adapters.memory.lanes import MemoryLanes
from polyant.domain.conversations import LaneId
from polyant.domain.errors import LeaseLostError
from polyant.domain.lane_work import EventId, EventState, StoredEvent
from polyant.domain.lanes import FirstMessage, Lane, LaneKind, Lease
from polyant.testing.lanes import LanesContract
from support.conversation_stores import MemoryConversationStoreRig


class MemoryContract(LanesContract):
    lanes: type[MemoryLanes]

    @pytest.fixture
    def rig(self) -> MemoryConversationStoreRig:
        rig = MemoryConversationStoreRig()
        rig.lanes = self.lanes(store=rig.store, clock=rig.clock)
        return rig


class ChecksThenTakes(MemoryLanes):
    """Reads the lane in one query, and takes it in the next."""

    async def acquire(self, lane: Lane, *, owner: str, seconds: float, **_: Any) -> Lease | None:
        row = self._tables.lane(lane, self._now())
        if row.owner is not None and row.due_at is not None and row.due_at > self._now():
            return None
        await asyncio.sleep(0)
        return self._take(row, owner, seconds)


class TestAcquireNotAtomic(MemoryContract):
    lanes = ChecksThenTakes


class SelectsThenClaims(MemoryLanes):
    """Reads the lane that is due in one query, and takes it in the next."""

    async def claim(self, *, owner: str, seconds: float) -> Lease | None:
        due = [row for row in self._claimable() if row.due_at is not None and row.due_at <= self._now()]
        await asyncio.sleep(0)
        return self._take(due[0], owner, seconds) if due else None


class TestClaimNotAtomic(MemoryContract):
    lanes = SelectsThenClaims


class WithoutFence(MemoryLanes):
    """Finds the lease by the lane alone."""

    async def renew(self, lease: Lease, *, seconds: float) -> int:
        row = self._tables.lanes.get(lease.lane.id)
        if row is None or row.owner is None:
            raise LeaseLostError
        row.due_at = self._now() + seconds
        return row.wake


class TestNoFence(MemoryContract):
    lanes = WithoutFence


class FencesByOwner(MemoryLanes):
    """Finds the lease by the name of its owner."""

    async def renew(self, lease: Lease, *, seconds: float) -> int:
        row = self._tables.lanes.get(lease.lane.id)
        if row is None or row.owner != lease.owner:
            raise LeaseLostError
        row.due_at = self._now() + seconds
        return row.wake


class TestFencedByOwner(MemoryContract):
    lanes = FencesByOwner


class FencesByNumber(MemoryLanes):
    """Finds the lease by its number, which begins again with a new lane."""

    async def renew(self, lease: Lease, *, seconds: float) -> int:
        row = self._tables.lanes.get(lease.lane.id)
        if row is None or row.owner is None:
            raise LeaseLostError
        return await super().renew(replace(lease, owner=row.owner), seconds=seconds)


class TestFencedByNumber(MemoryContract):
    lanes = FencesByNumber


class ReleasesAnyLease(MemoryLanes):
    """Ends the current lease of the lane, even for a former holder."""

    async def release(
        self,
        lease: Lease,
        *,
        again: bool = False,
        delay: float = 0.0,
        uncounted: Sequence[EventId] = (),
        uncounted_if_lost: bool = False,
    ) -> None:
        row = self._tables.lanes.get(lease.lane.id)
        if row is not None and row.owner is not None and row.epoch != lease.epoch:
            row.owner, row.due_at = None, None
        await super().release(lease, again=again, delay=delay, uncounted=uncounted, uncounted_if_lost=uncounted_if_lost)


class TestAnyLeaseReleased(MemoryContract):
    lanes = ReleasesAnyLease


class AddsSeconds(MemoryLanes):
    """Adds the seconds to the end of the lease, not to the present."""

    async def renew(self, lease: Lease, *, seconds: float) -> int:
        row = self._tables.leased(lease)
        row.due_at = (row.due_at or self._now()) + seconds
        return row.wake


class TestSecondsAdded(MemoryContract):
    lanes = AddsSeconds


class NoLateRenewal(MemoryLanes):
    """Refuses to renew a lease that has expired."""

    async def renew(self, lease: Lease, *, seconds: float) -> int:
        if (self._tables.leased(lease).due_at or 0.0) < self._now():
            raise LeaseLostError
        return await super().renew(lease, seconds=seconds)


class TestNoLateRenewal(MemoryContract):
    lanes = NoLateRenewal


class ClaimsNewest(MemoryLanes):
    """Leases the lane that has been due for the shortest time."""

    async def claim(self, *, owner: str, seconds: float) -> Lease | None:
        due = [row for row in self._claimable() if row.due_at is not None and row.due_at <= self._now()]
        return self._take(max(due, key=lambda row: row.due_at or 0.0), owner, seconds) if due else None


class TestNewestClaimed(MemoryContract):
    lanes = ClaimsNewest


class ClaimsEveryKind(MemoryLanes):
    """Forgets the kind."""

    def _claimable(self) -> list[LaneRow]:
        return [row for row in self._tables.lanes.values() if row.due_at is not None]


class TestEveryKindClaimed(MemoryContract):
    lanes = ClaimsEveryKind


class LosesWakeUps(MemoryLanes):
    """Makes a released lane idle, whatever it received meanwhile."""

    async def release(
        self,
        lease: Lease,
        *,
        again: bool = False,
        delay: float = 0.0,
        uncounted: Sequence[EventId] = (),
        uncounted_if_lost: bool = False,
    ) -> None:
        row = self._tables.lanes.get(lease.lane.id)
        seen = lease if row is None else Lease(lane=lease.lane, owner=lease.owner, epoch=lease.epoch, wake=row.wake)
        await super().release(seen, again=again, delay=delay, uncounted=uncounted, uncounted_if_lost=uncounted_if_lost)


class TestWakeUpsLost(MemoryContract):
    lanes = LosesWakeUps


class IgnoresDelay(MemoryLanes):
    """Makes a released lane due at once."""

    async def release(
        self,
        lease: Lease,
        *,
        again: bool = False,
        delay: float = 0.0,
        uncounted: Sequence[EventId] = (),
        uncounted_if_lost: bool = False,
    ) -> None:
        await super().release(lease, again=again, uncounted=uncounted, uncounted_if_lost=uncounted_if_lost)


class TestDelayIgnored(MemoryContract):
    lanes = IgnoresDelay


class UncountsAll(MemoryLanes):
    """Gives back the attempts of all open events of the lane."""

    def _uncount(self, lease: Lease, events: Sequence[EventId]) -> None:
        events = [
            number
            for number, event in self._tables.events.items()
            if events and event.lane == lease.lane.id and event.state is EventState.OPEN
        ]
        super()._uncount(lease, events)


class TestAllUncounted(MemoryContract):
    lanes = UncountsAll


class UncountsIfLost(MemoryLanes):
    """Gives back the attempts although another holder has the lane."""

    async def release(
        self,
        lease: Lease,
        *,
        again: bool = False,
        delay: float = 0.0,
        uncounted: Sequence[EventId] = (),
        uncounted_if_lost: bool = False,
    ) -> None:
        await super().release(lease, again=again, delay=delay, uncounted=uncounted, uncounted_if_lost=True)


class TestUncountedIfLost(MemoryContract):
    lanes = UncountsIfLost


class KeepsDescription(MemoryLanes):
    """Describes a lane as it was created."""

    async def acquire(self, lane: Lane, *, owner: str, seconds: float, **options: Any) -> Lease | None:
        known = self._tables.lanes.get(lane.id)
        return await super().acquire(known.lane if known else lane, owner=owner, seconds=seconds, **options)


class TestDescriptionKept(MemoryContract):
    lanes = KeepsDescription


class WithOtherFirst(MemoryLanes):
    """Leases the lane without the message, and then does something else with that."""

    async def acquire(
        self,
        lane: Lane,
        *,
        owner: str,
        seconds: float,
        newest: int | None = None,
        tokens: int | None = None,
        first: FirstMessage | None = None,
    ) -> Lease | None:
        lease = await super().acquire(lane, owner=owner, seconds=seconds, newest=newest, tokens=tokens)
        if lease is None or first is None or not self.accepts(lease, first):
            return lease
        return replace(lease, stored=self.write(first))

    def accepts(self, lease: Lease, first: FirstMessage) -> bool:
        return first.conversation == lease.conversation and not self._tables.is_stored(first.message.id)

    def write(self, first: FirstMessage) -> bool:
        self._tables.append(first.conversation, [first.message])
        return True


class TestFirstWritten(MemoryContract):
    lanes = WithOtherFirst


class WritesAgain(WithOtherFirst):
    """Says that a message is written which was stored before."""

    def accepts(self, lease: Lease, first: FirstMessage) -> bool:
        return first.conversation == lease.conversation


class TestFirstWrittenAgain(MemoryContract):
    lanes = WritesAgain


class WritesSilently(WithOtherFirst):
    """Doesn't say that the message is written."""

    def write(self, first: FirstMessage) -> bool:
        return not super().write(first)


class TestFirstWrittenSilently(MemoryContract):
    lanes = WritesSilently


class ClaimsToWrite(WithOtherFirst):
    """Says that the message is written, but writes nothing."""

    def write(self, first: FirstMessage) -> bool:
        return True


class TestFirstNotWritten(MemoryContract):
    lanes = ClaimsToWrite


class WritesAnywhere(WithOtherFirst):
    """Writes the message to its conversation, whether or not the lane has that."""

    def accepts(self, lease: Lease, first: FirstMessage) -> bool:
        is_known = first.conversation in self._tables.conversations
        return is_known and not self._tables.is_stored(first.message.id)


class TestFirstWrittenElsewhere(MemoryContract):
    lanes = WritesAnywhere


class WritesToCurrent(WithOtherFirst):
    """Writes the message to the lane's current conversation, whatever conversation it is for."""

    async def acquire(self, lane: Lane, *, first: FirstMessage | None = None, **options: Any) -> Lease | None:
        row = self._tables.lanes.get(lane.id)
        current = None if row is None else row.conversation
        moved = None if current is None or first is None else replace(first, conversation=current)
        return await super().acquire(lane, first=moved, **options)


class TestFirstWrittenToCurrent(MemoryContract):
    lanes = WritesToCurrent


class WritesUncounted(WithOtherFirst):
    """Adds the message without counting it."""

    def write(self, first: FirstMessage) -> bool:
        self._tables.messages[first.conversation].append(first.message)
        return True


class TestFirstUncounted(MemoryContract):
    lanes = WritesUncounted


class WritesRepeated(WithOtherFirst):
    """Keeps an unanswered message with the content of the new one."""

    def write(self, first: FirstMessage) -> bool:
        self._tables.append(first.conversation, [replace(first.message, digest=None)])
        self._tables.messages[first.conversation][-1] = first.message
        return True


class TestFirstRepeated(MemoryContract):
    lanes = WritesRepeated


class WritesUnanswered(WithOtherFirst):
    """Marks every first message as unanswered."""

    def write(self, first: FirstMessage) -> bool:
        return super().write(replace(first, message=replace(first.message, answered=False)))


class TestFirstUnanswered(MemoryContract):
    lanes = WritesUnanswered


class WritesBeforeLease(MemoryLanes):
    """Writes the message although another process holds the lane."""

    async def acquire(self, lane: Lane, *, first: FirstMessage | None = None, **options: Any) -> Lease | None:
        row = self._tables.lanes.get(lane.id)
        writes = row is not None and first is not None and row.conversation == first.conversation
        if first is not None and writes:
            writes = not self._tables.is_stored(first.message.id)
            self._tables.append(first.conversation, [first.message])
        lease = await super().acquire(lane, **options)
        return None if lease is None else replace(lease, stored=writes)


class TestFirstWrittenWithoutLease(MemoryContract):
    lanes = WritesBeforeLease


class MovesDeliveriesOnly(MemoryLanes):
    """Leaves the events behind."""

    def _move_rows(self, source: LaneId, target: Lane) -> None:
        events = self._tables.events
        super()._move_rows(source, target)
        self._tables.events = events


class TestEventsLeftBehind(MemoryContract):
    lanes = MovesDeliveriesOnly


class RenumbersMoved(MemoryLanes):
    """Copies the events of the source behind each other in another order."""

    def _move_rows(self, source: LaneId, target: Lane) -> None:
        super()._move_rows(source, target)
        moved = [number for number, event in self._tables.events.items() if event.lane == target.id]
        names = {number: self._tables.events[number].event_id for number in moved}
        payloads = {number: self._tables.events[number].payload for number in moved}
        for number, other in zip(moved, reversed(moved), strict=True):
            self._tables.events[number] = _named(self._tables.events[number], names[other], payloads[other])


def _named(event: StoredEvent, name: str, payload: str | None) -> StoredEvent:
    return replace(event, event_id=name, payload=payload)


class TestMovedEventsReordered(MemoryContract):
    lanes = RenumbersMoved


class TakesConversationAlong(MemoryLanes):
    """Overwrites the conversation of the target."""

    async def move(self, source: LaneId, target: Lane) -> None:
        row = self._tables.lanes.get(source)
        await super().move(source, target)
        if row is not None and row.conversation is not None:
            self._tables.lanes[target.id].conversation = row.conversation


class TestConversationOverwritten(MemoryContract):
    lanes = TakesConversationAlong


class LeavesSource(MemoryLanes):
    """Leaves the source and its lease."""

    async def move(self, source: LaneId, target: Lane) -> None:
        row = self._tables.lanes.get(source)
        await super().move(source, target)
        if row is not None:
            self._tables.lanes[source] = row


class TestSourceLeft(MemoryContract):
    lanes = LeavesSource


class CreatesTarget(MemoryLanes):
    """Wakes the target, whatever the source is."""

    async def move(self, source: LaneId, target: Lane) -> None:
        await super().move(source, target)
        row = self._tables.lane(target, self._now())
        if row.due_at is None and row.lane.kind is LaneKind.CHANNEL:
            row.due_at = self._now()


class TestTargetWoken(MemoryContract):
    lanes = CreatesTarget


class RoundsUp(MemoryLanes):
    """Answers a question about the future only."""

    async def due_in(self) -> float | None:
        due_in = await super().due_in()
        return None if due_in is None else max(0.0, due_in)


class TestOverdueHidden(MemoryContract):
    lanes = RoundsUp
