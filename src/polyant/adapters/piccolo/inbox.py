"""Received events in a table."""

import json
from collections.abc import Sequence
from datetime import date

import msgspec

from polyant.adapters.piccolo.backend import Work
from polyant.adapters.piccolo.conversation_database import ConversationDatabase
from polyant.adapters.piccolo.conversation_filters import Conditions
from polyant.adapters.piccolo.conversation_rows import (
    EVENT,
    MESSAGE,
    columns,
    delivery_of,
    duration,
    event_of,
    lane_values,
    lease_of,
    message_values,
)
from polyant.adapters.piccolo.database import PiccoloDatabase
from polyant.adapters.piccolo.dialects import step
from polyant.adapters.piccolo.inbox_statements import STATEMENTS
from polyant.adapters.piccolo.message_writing import append_messages
from polyant.domain.conversations import KeyKind, WrappedKey
from polyant.domain.errors import LeaseLostError, UnknownConversationError, UnknownEventError
from polyant.domain.lane_work import (
    Delivery,
    EventFilter,
    EventId,
    EventPage,
    LaneWork,
    ReceivedEvent,
    TurnResult,
)
from polyant.domain.lanes import Lease
from polyant.domain.ports.inbox import Inbox


class PiccoloInbox(Inbox):
    """Keeps events in the database.

    Args:
        database: Must be open and migrated at the first call.
    """

    def __init__(self, *, database: PiccoloDatabase) -> None:
        self._database = ConversationDatabase(database, STATEMENTS)

    async def receive(self, events: Sequence[ReceivedEvent]) -> tuple[bool, ...]:
        if self._database.is_sqlite:
            return await self._database.transact(lambda: self._receive(events))
        # Each in a transaction of its own: batches that lock the same lanes in different orders would deadlock.
        return tuple([bool(await self._database.write("receive_in_one", *_event_values(event))) for event in events])

    def _receive(self, events: Sequence[ReceivedEvent]) -> Work[tuple[bool, ...]]:
        results: list[bool] = []
        for event in events:
            values = _event_values(event)
            new = yield from step(self._database.sql["receive"], *values[:10])
            if new:
                yield from step(self._database.sql["wake"], *values[:6], *values[10:])
            results.append(bool(new))
        return tuple(results)

    async def load(self, lease: Lease, *, limit: int) -> LaneWork:
        return await self._database.transact(lambda: self._load(lease, limit))

    def _load(self, lease: Lease, limit: int) -> Work[LaneWork]:
        sql = self._database.sql
        lanes = yield from step(sql["leased"], lease.lane.id, lease.epoch)
        if not lanes:
            raise LeaseLostError
        current = lease_of(lanes[0])
        rows = yield from step(sql["open_deliveries"], lease.lane.id)
        if rows:
            return LaneWork(lease=current, deliveries=tuple(delivery_of(row) for row in rows))
        rows = yield from step(sql["load_events"], lease.lane.id, limit)
        events = sorted((event_of(row) for row in rows), key=lambda event: (event.position, event.id))
        return LaneWork(lease=current, events=tuple(events))

    async def finish(self, lease: Lease, result: TurnResult, *, seconds: float) -> tuple[Delivery, ...] | None:
        if self._database.is_sqlite:
            return await self._database.transact(lambda: self._finish(lease, result, seconds))
        (status, *_), *_ = rows = await self._database.write("finish_in_one", *_finish_values(lease, result, seconds))
        if status == "stored":
            return tuple(delivery_of(tuple(row)[1:]) for row in rows if row[1] is not None)
        if status == "lost":
            raise LeaseLostError
        if status == "unknown":
            raise UnknownConversationError
        if status == "woken":
            return None
        found = await self._database.read("turn_deliveries", lease.lane.id, result.turn)
        return tuple(delivery_of(row) for row in found)

    def _finish(self, lease: Lease, result: TurnResult, seconds: float) -> Work[tuple[Delivery, ...] | None]:
        sql = self._database.sql
        lanes = yield from step(sql["leased"], lease.lane.id, lease.epoch)
        if not lanes:
            raise LeaseLostError
        if result.unless_woken and lease_of(lanes[0]).wake != lease.wake:
            return None
        events = json.dumps([*result.events])
        ((is_open,),) = yield from step(sql["are_open"], lease.lane.id, events, len(result.events), result.turn)
        if not is_open:
            rows = yield from step(sql["turn_deliveries"], lease.lane.id, result.turn)
            return tuple(delivery_of(row) for row in rows)
        yield from step(sql["extend"], lease.lane.id, duration(seconds))
        if result.conversation is not None:
            yield from append_messages(sql, result.conversation, result.messages)
        yield from step(sql["end_events"], events, result.state.value, result.error)
        deliveries: list[Delivery] = []
        for chunk, text in enumerate(result.chunks):
            state = ("queued", 0) if chunk else ("sending", 1)
            values = (*_delivery_values(lease, result), chunk, text, *state)
            rows = yield from step(sql["add_delivery"], *values)
            deliveries.append(delivery_of(rows[0]))
        return tuple(deliveries)

    async def list(self, query: EventFilter, *, limit: int, offset: int = 0) -> EventPage:
        conditions = Conditions()
        conditions.equal("instance", query.instance)
        conditions.equal("channel", query.channel)
        conditions.equal("state", query.state)
        conditions.equal("id", query.event)
        found, total = await conditions.page(
            self._database, "channel_events", columns(EVENT), "id DESC", limit=limit, offset=offset
        )
        return EventPage(tuple(event_of(row) for row in found), total)

    async def replay(self, event: EventId) -> None:
        if not await self._database.transact(lambda: self._replay(event)):
            raise UnknownEventError(event)

    def _replay(self, event: EventId) -> Work[bool]:
        rows = yield from step(self._database.sql["replay"], event)
        if rows:
            yield from step(self._database.sql["wake_now"], rows[0][0])
        return bool(rows)

    async def ingest_key(self, day: date, draft: WrappedKey | None = None) -> WrappedKey | None:
        name = day.isoformat()
        rows = await self._database.read("ingest_key", name)
        if not rows and draft is not None:
            await self._database.write("add_ingest_key", name, draft.key, draft.wrapped_by)
            rows = await self._database.read("ingest_key", name)
        return WrappedKey(kind=KeyKind.INGEST, id=name, key=rows[0][0], wrapped_by=rows[0][1]) if rows else None


def _event_values(event: ReceivedEvent) -> tuple[object, ...]:
    return (
        *lane_values(event.lane),
        *(event.event_id, event.position, event.user, event.payload),
        *(duration(event.quiet), duration(event.longest_wait)),
    )


def _delivery_values(lease: Lease, result: TurnResult) -> tuple[object, ...]:
    lane = lease.lane
    return lane.id, lane.instance, lane.channel, lane.account, result.conversation, result.turn


def _finish_values(lease: Lease, result: TurnResult, seconds: float) -> tuple[object, ...]:
    messages = [dict(zip(MESSAGE, message_values(message), strict=True)) for message in result.messages]
    return (
        *_delivery_values(lease, result),
        *(lease.epoch, duration(seconds), lease.wake if result.unless_woken else None),
        *([*result.events], result.state.value, result.error),
        msgspec.json.encode(messages).decode(),
        [*result.chunks],
    )
