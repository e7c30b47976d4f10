"""Lanes in memory."""

from collections.abc import Sequence

import msgspec

from polyant.adapters.memory.conversation_tables import LaneRow
from polyant.adapters.memory.store import MemoryStore
from polyant.domain.conversations import LaneId
from polyant.domain.errors import LeaseLostError
from polyant.domain.lane_work import EventId, EventState
from polyant.domain.lanes import FirstMessage, Lane, LaneKind, Lease
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.lanes import Lanes


class MemoryLanes(Lanes):
    """Keeps lanes in memory, for one process.

    Args:
        store: The store that the adapters in memory share.
        clock: Determines when leases expire.
    """

    def __init__(self, *, store: MemoryStore, clock: Clock) -> None:
        self._tables = store.conversations
        self._clock = clock

    async def acquire(
        self,
        lane: Lane,
        *,
        owner: str,
        seconds: float,
        newest: int | None = None,  # noqa: ARG002 - reading it later costs nothing here
        tokens: int | None = None,  # noqa: ARG002
        first: FirstMessage | None = None,
    ) -> Lease | None:
        row = self._tables.lane(lane, self._now())
        if row.owner is not None and row.due_at is not None and row.due_at > self._now():
            return None
        lease = self._take(row, owner, seconds)
        if first is None or first.conversation != row.conversation:
            return lease
        stored = not self._tables.is_stored(first.message.id)
        self._tables.append(first.conversation, [first.message])
        return msgspec.structs.replace(lease, stored=stored)

    async def claim(self, *, owner: str, seconds: float) -> Lease | None:
        due = [row for row in self._claimable() if row.due_at is not None and row.due_at <= self._now()]
        return self._take(min(due, key=_due_at), owner, seconds) if due else None

    async def due_in(self) -> float | None:
        return min((_due_at(row) - self._now() for row in self._claimable()), default=None)

    async def renew(self, lease: Lease, *, seconds: float) -> int:
        row = self._tables.leased(lease)
        row.due_at = self._now() + seconds
        return row.wake

    async def release(
        self,
        lease: Lease,
        *,
        again: bool = False,
        delay: float = 0.0,
        uncounted: Sequence[EventId] = (),
        uncounted_if_lost: bool = False,
    ) -> None:
        try:
            row = self._tables.leased(lease)
        except LeaseLostError:
            if uncounted_if_lost:
                self._uncount(lease, uncounted)
            return
        row.owner = None
        row.burst_since = self._now()
        row.not_before = self._now() + delay
        has_work = row.lane.kind is LaneKind.CHANNEL and (again or row.wake != lease.wake)
        row.due_at = self._now() + delay if has_work else None
        self._uncount(lease, uncounted)

    def _uncount(self, lease: Lease, events: Sequence[EventId]) -> None:
        for number in events:
            event = self._tables.events.get(number)
            if event is not None and event.lane == lease.lane.id and event.state is EventState.OPEN:
                self._tables.events[number] = msgspec.structs.replace(event, attempts=max(0, event.attempts - 1))

    async def move(self, source: LaneId, target: Lane) -> None:
        row = self._tables.lanes.get(source)
        if row is None or source == target.id:
            return
        del self._tables.lanes[source]
        moved = self._tables.lane(target, self._now())
        self._move_rows(source, target)
        if moved.conversation is None:
            moved.conversation = row.conversation
        moved.wake += row.wake
        if moved.due_at is None and row.due_at is not None:
            moved.due_at = self._now()

    def _move_rows(self, source: LaneId, target: Lane) -> None:
        tables, replace = self._tables, msgspec.structs.replace
        tables.events = {
            key: replace(each, lane=target.id) if each.lane == source else each for key, each in tables.events.items()
        }
        tables.deliveries = {
            key: replace(each, lane=target.id) if each.lane == source else each
            for key, each in tables.deliveries.items()
        }
        tables.conversations = {
            key: replace(each, lane=target.id) if each.lane == source else each
            for key, each in tables.conversations.items()
        }

    def _claimable(self) -> list[LaneRow]:
        return [
            row for row in self._tables.lanes.values() if row.lane.kind is LaneKind.CHANNEL and row.due_at is not None
        ]

    def _take(self, row: LaneRow, owner: str, seconds: float) -> Lease:
        row.owner = owner
        row.epoch += 1
        row.due_at = self._now() + seconds
        return row.lease()

    def _now(self) -> float:
        return self._clock.now().timestamp()


def _due_at(row: LaneRow) -> float:
    return float("inf") if row.due_at is None else row.due_at
