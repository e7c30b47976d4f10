"""Received events in memory."""

from collections.abc import Iterable, Sequence
from datetime import date

import msgspec

from polyant.adapters.memory.conversation_tables import LaneRow
from polyant.adapters.memory.store import MemoryStore
from polyant.domain.conversations import WrappedKey
from polyant.domain.errors import UnknownConversationError, UnknownEventError
from polyant.domain.lane_work import (
    Delivery,
    DeliveryId,
    DeliveryState,
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
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.inbox import Inbox


class MemoryInbox(Inbox):
    """Keeps events in memory, so that the end of the process loses them.

    Args:
        store: The store that the adapters in memory share.
        clock: Determines when lanes are due.
    """

    def __init__(self, *, store: MemoryStore, clock: Clock) -> None:
        self._tables = store.conversations
        self._clock = clock

    async def receive(self, events: Sequence[ReceivedEvent]) -> tuple[bool, ...]:
        return tuple(self._receive(event) for event in events)

    def _receive(self, event: ReceivedEvent) -> bool:
        lane = event.lane
        if self._tables.event_of(lane.channel, lane.account, event.event_id) is not None:
            return False
        number = EventId(self._tables.next_number())
        self._tables.events[number] = StoredEvent(
            id=number,
            lane=lane.id,
            instance=lane.instance,
            channel=lane.channel,
            account=lane.account,
            event_id=event.event_id,
            position=event.position,
            user=event.user,
            payload=event.payload,
            received_at=self._clock.now(),
        )
        self._wake(self._tables.lane(lane, self._now()), event)
        return True

    def _wake(self, row: LaneRow, event: ReceivedEvent) -> None:
        now = self._now()
        row.wake += 1
        if row.owner is not None:
            return
        if row.due_at is None:
            row.burst_since = now
        longest = row.burst_since + max(event.longest_wait, event.quiet if row.due_at is None else 0.0)
        row.due_at = max(row.not_before, min(longest, now + event.quiet))

    async def load(self, lease: Lease, *, limit: int) -> LaneWork:
        current = self._tables.leased(lease).lease()
        deliveries = self._tables.open_deliveries(lease.lane.id)
        if deliveries:
            return LaneWork(lease=current, deliveries=tuple(deliveries))
        counted = [
            msgspec.structs.replace(event, attempts=event.attempts + 1)
            for event in self._tables.open_events(lease.lane.id)[:limit]
        ]
        self._tables.events |= {event.id: event for event in counted}
        return LaneWork(lease=current, events=tuple(counted))

    async def finish(self, lease: Lease, result: TurnResult, *, seconds: float) -> tuple[Delivery, ...] | None:
        row = self._tables.leased(lease)
        if result.unless_woken and row.wake != lease.wake:
            return None
        if result.conversation is not None and result.conversation not in self._tables.conversations:
            raise UnknownConversationError
        if any(each.turn == result.turn for each in self._tables.deliveries.values()) or self._is_finished(result):
            return tuple(each for each in self._tables.open_deliveries(lease.lane.id) if each.turn == result.turn)
        row.due_at = self._now() + seconds
        if result.conversation is not None:
            self._tables.append(result.conversation, result.messages)
        for number in result.events:
            self._tables.events[number] = _finished(self._tables.events[number], result)
        return tuple(self._deliveries(lease, result))

    def _is_finished(self, result: TurnResult) -> bool:
        known = [self._tables.events.get(number) for number in result.events]
        return any(event is None or event.state is not EventState.OPEN for event in known)

    def _deliveries(self, lease: Lease, result: TurnResult) -> Iterable[Delivery]:
        now = self._clock.now()
        for chunk, text in enumerate(result.chunks):
            number = DeliveryId(self._tables.next_number())
            delivery = Delivery(
                id=number,
                lane=lease.lane.id,
                instance=lease.lane.instance,
                channel=lease.lane.channel,
                account=lease.lane.account,
                conversation=result.conversation,
                turn=result.turn,
                chunk=chunk,
                text=text,
                state=DeliveryState.QUEUED if chunk else DeliveryState.SENDING,
                attempts=0 if chunk else 1,
                created_at=now,
                updated_at=now,
            )
            self._tables.deliveries[number] = delivery
            yield delivery

    async def list(self, query: EventFilter, *, limit: int, offset: int = 0) -> EventPage:
        found = [each for each in self._tables.events.values() if _matches(each, query)]
        found.sort(key=lambda event: event.id, reverse=True)
        return EventPage(tuple(found[offset : offset + limit]), len(found))

    async def replay(self, event: EventId) -> None:
        known = self._tables.events.get(event)
        if known is None or known.state is not EventState.DEAD:
            raise UnknownEventError(event)
        self._tables.events[event] = msgspec.structs.replace(known, state=EventState.OPEN, attempts=0, error=None)
        row = self._tables.lanes[known.lane]
        row.wake += 1
        if row.owner is None:
            row.due_at = self._now()

    async def ingest_key(self, day: date, draft: WrappedKey | None = None) -> WrappedKey | None:
        if draft is None:
            return self._tables.ingest_keys.get(day.isoformat())
        return self._tables.ingest_keys.setdefault(day.isoformat(), draft)

    def _now(self) -> float:
        return self._clock.now().timestamp()


def _finished(event: StoredEvent, result: TurnResult) -> StoredEvent:
    keeps_payload = result.state in {EventState.OPEN, EventState.DEAD}
    return msgspec.structs.replace(
        event, state=result.state, error=result.error, payload=event.payload if keeps_payload else None
    )


def _matches(event: StoredEvent, query: EventFilter) -> bool:
    return (
        query.instance in {None, event.instance}
        and query.channel in {None, event.channel}
        and query.state in {None, event.state}
        and query.event in {None, event.id}
    )
