"""Retention, key rotation and repair of the conversations in memory."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice

import msgspec

from polyant.adapters.memory.conversation_tables import OPEN_DELIVERIES
from polyant.adapters.memory.store import MemoryStore
from polyant.domain.conversations import (
    ConversationId,
    Deletion,
    KeyKind,
    KeyReplacement,
    LaneId,
    WrappedKey,
)
from polyant.domain.lane_work import Delivery, DeliveryState, EventState, StoredEvent
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.conversation_maintenance import ConversationMaintenance


class MemoryConversationMaintenance(ConversationMaintenance):
    """Works on the conversations, lanes, events and deliveries in memory.

    Args:
        store: The store that the adapters in memory share.
        clock: Determines when healed lanes are due.
    """

    def __init__(self, *, store: MemoryStore, clock: Clock) -> None:
        self._tables = store.conversations
        self._clock = clock

    async def expire_messages(self, before: datetime, *, limit: int) -> Deletion:
        deleted = self._tables.drop_messages(lambda _, message: message.at < before, limit)
        empty = [
            each.id for each in self._tables.conversations.values() if not each.messages and each.updated_at < before
        ]
        for conversation in empty[:limit]:
            self._tables.drop_conversation(conversation)
        return msgspec.structs.replace(
            deleted,
            conversations=(*deleted.conversations, *empty[:limit]),
            complete=deleted.complete and len(empty) <= limit,
        )

    async def expire_events(self, *, finished_before: datetime, dead_before: datetime, limit: int) -> bool:
        def event_is_old(event: StoredEvent) -> bool:
            end = dead_before if event.state is EventState.DEAD else finished_before
            return event.state is not EventState.OPEN and event.received_at < end

        def delivery_is_old(delivery: Delivery) -> bool:
            end = dead_before if delivery.state is DeliveryState.UNKNOWN else finished_before
            return delivery.state not in OPEN_DELIVERIES and delivery.created_at < end

        tables = self._tables
        events = [each.id for each in tables.events.values() if event_is_old(each)]
        deliveries = [each.id for each in tables.deliveries.values() if delivery_is_old(each)]
        for event in events[:limit]:
            del tables.events[event]
        for delivery in deliveries[:limit]:
            del tables.deliveries[delivery]
        for lane, row in [*tables.lanes.items()]:
            if row.due_at is None and row.created_at < finished_before.timestamp():
                tables.drop_lane_if_empty(lane)
        self._expire_ingest_keys(finished_before)
        return max(len(events), len(deliveries)) <= limit

    def _expire_ingest_keys(self, before: datetime) -> None:
        times = [each.received_at for each in self._tables.events.values() if each.payload is not None]
        times += [each.created_at for each in self._tables.deliveries.values() if each.text is not None]
        # A key is read before the row is stored, so at midnight the row's day is the next one.
        days = {(time - timedelta(days=late)).date().isoformat() for time in times for late in (0, 1)}
        end = before.date().isoformat()
        self._tables.ingest_keys = {
            day: key for day, key in self._tables.ingest_keys.items() if day in days or day >= end
        }

    async def heal(self) -> tuple[LaneId, ...]:
        tables = self._tables
        work = {each.lane for each in tables.events.values() if each.state is EventState.OPEN}
        work |= {each.lane for each in tables.deliveries.values() if each.state in OPEN_DELIVERIES}
        found = [lane for lane in sorted(work) if lane in tables.lanes and tables.lanes[lane].due_at is None]
        for lane in found:
            tables.lanes[lane].due_at = self._clock.now().timestamp()
        return tuple(found)

    async def outdated_keys(self, current: str, *, limit: int) -> tuple[WrappedKey, ...]:
        return tuple(islice(self._keys(lambda key: key.wrapped_by != current), limit))

    async def replace_keys(self, replacements: Sequence[KeyReplacement]) -> int:
        return sum(self._replace(each) for each in replacements)

    async def count_keys(self, wrapped_by: str) -> int:
        return sum(1 for _ in self._keys(lambda key: key.wrapped_by == wrapped_by))

    def _keys(self, is_wanted: Callable[[WrappedKey], bool]) -> Iterator[WrappedKey]:
        conversations = (
            WrappedKey(kind=KeyKind.CONVERSATION, id=each.id, key=each.data_key, wrapped_by=each.wrapped_by)
            for each in self._tables.conversations.values()
        )
        yield from filter(is_wanted, (*conversations, *self._tables.ingest_keys.values()))

    def _replace(self, replacement: KeyReplacement) -> bool:
        old, new, tables = replacement.old, replacement.new, self._tables
        if old not in self._keys(lambda _: True):
            return False
        if old.kind is KeyKind.INGEST:
            tables.ingest_keys[old.id] = new
        else:
            known = tables.conversations[ConversationId(old.id)]
            tables.conversations[known.id] = msgspec.structs.replace(known, data_key=new.key, wrapped_by=new.wrapped_by)
        return True
