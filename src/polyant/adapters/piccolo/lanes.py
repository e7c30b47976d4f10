"""Lanes in a table."""

import json
from collections.abc import Sequence

from polyant.adapters.piccolo.backend import Work
from polyant.adapters.piccolo.conversation_database import ConversationDatabase
from polyant.adapters.piccolo.conversation_rows import LEASE, columns, duration, lane_values, lease_of
from polyant.adapters.piccolo.database import PiccoloDatabase
from polyant.adapters.piccolo.dialects import step
from polyant.adapters.piccolo.lane_acquiring import ACQUIRE_STATEMENTS, DESCRIPTION, acquire_and_write, acquire_in_one
from polyant.adapters.piccolo.sql import NO_LIMIT
from polyant.domain.conversations import LaneId
from polyant.domain.errors import LeaseLostError
from polyant.domain.lane_work import EventId
from polyant.domain.lanes import FirstMessage, Lane, Lease
from polyant.domain.ports.lanes import Lanes

CREATE = """
    INSERT INTO lanes AS lane (id, kind, instance, channel, account, user_hash,
        due_at, not_before, burst_since, wake, epoch, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, NULL, 0, 0, 0, 0, @now)
    ON CONFLICT (id) DO UPDATE SET {}
    RETURNING conversation
"""
"""Creates a lane, or changes a known one; either way the transaction locks it."""

RELEASE = """owner = NULL, burst_since = @now, not_before = @now + {delay},
    due_at = CASE WHEN kind = 'channel' AND {again} THEN @now + {delay} END"""
"""Ends the lease of a lane."""

_STATEMENTS = {
    **ACQUIRE_STATEMENTS,
    # Polling reads, because a claim that finds nothing would take SQLite's write lock.
    "due_in": "SELECT min(due_at) - @now FROM lanes WHERE due_at IS NOT NULL AND kind = 'channel'",
    "claim": f"""
        UPDATE lanes SET epoch = epoch + 1, owner = $1, due_at = @now + $2
        WHERE id = (
            SELECT id FROM lanes WHERE due_at <= @now AND kind = 'channel' ORDER BY due_at LIMIT 1
            FOR UPDATE SKIP LOCKED
        )
        RETURNING {columns(LEASE)}
    """,
    "renew": """
        UPDATE lanes SET due_at = @now + $3 WHERE id = $1 AND epoch = $2 AND owner = $4 RETURNING wake
    """,
    # Decides by the lane's own `wake`: whether open events exist would be read in an old snapshot after a lock wait.
    "release": f"""
        UPDATE lanes SET {RELEASE.format(again="(wake <> $3 OR $4)", delay="$5")}
        WHERE id = $1 AND epoch = $2 AND owner = $6 RETURNING id
    """,
    "uncount": """
        UPDATE channel_events SET attempts = greatest(attempts - 1, 0)
        WHERE lane = $1 AND state = 'open' AND id IN @numbers(2)
    """,
    "lock": "SELECT id FROM lanes WHERE id = $1 OR id = $2 ORDER BY id FOR UPDATE",
    "source": "SELECT conversation, wake, due_at FROM lanes WHERE id = $1",
    "create": CREATE.format(DESCRIPTION),
    "move_work": """
        UPDATE lanes SET wake = wake + $2, conversation = coalesce(conversation, $3),
            due_at = coalesce(due_at, CASE WHEN $4 AND kind = 'channel' THEN @now END)
        WHERE id = $1
    """,
    "move_events": "UPDATE channel_events SET lane = $2 WHERE lane = $1",
    "move_deliveries": "UPDATE channel_deliveries SET lane = $2 WHERE lane = $1",
    "move_conversations": "UPDATE conversations SET lane = $2 WHERE lane = $1",
    "remove": "DELETE FROM lanes WHERE id = $1",
}


class PiccoloLanes(Lanes):
    """Keeps lanes in the database, shared by all processes and hosts.

    Args:
        database: Must be open and migrated at the first call.
    """

    def __init__(self, *, database: PiccoloDatabase) -> None:
        self._database = ConversationDatabase(database, _STATEMENTS)

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
        values = *lane_values(lane), owner, duration(seconds)
        if not self._database.is_sqlite and newest is not None:
            bounds = newest, NO_LIMIT if tokens is None else tokens
            return await acquire_in_one(self._database, (*values, *bounds), first)
        if first is None:
            rows = await self._database.write("acquire", *values)
            return lease_of(rows[0]) if rows else None
        return await self._database.transact(lambda: acquire_and_write(self._database.sql, values, first))

    async def claim(self, *, owner: str, seconds: float) -> Lease | None:
        rows = await self._database.write("claim", owner, duration(seconds))
        return lease_of(rows[0]) if rows else None

    async def due_in(self) -> float | None:
        ((wait,),) = await self._database.read("due_in")
        return None if wait is None else wait / 1_000_000

    async def renew(self, lease: Lease, *, seconds: float) -> int:
        rows = await self._database.write("renew", lease.lane.id, lease.epoch, duration(seconds), lease.owner)
        if not rows:
            raise LeaseLostError
        return int(rows[0][0])

    async def release(
        self,
        lease: Lease,
        *,
        again: bool = False,
        delay: float = 0.0,
        uncounted: Sequence[EventId] = (),
        uncounted_if_lost: bool = False,
    ) -> None:
        values = lease.lane.id, lease.epoch, lease.wake, again, duration(delay), lease.owner
        if uncounted:
            await self._database.transact(lambda: self._release(values, uncounted, if_lost=uncounted_if_lost))
        else:
            await self._database.write("release", *values)

    def _release(self, values: tuple[object, ...], uncounted: Sequence[EventId], *, if_lost: bool) -> Work[None]:
        released = yield from step(self._database.sql["release"], *values)
        if released or if_lost:
            yield from step(self._database.sql["uncount"], values[0], json.dumps([*uncounted]))

    async def move(self, source: LaneId, target: Lane) -> None:
        if source != target.id:
            await self._database.transact(lambda: self._move(source, target))

    def _move(self, source: LaneId, target: Lane) -> Work[None]:
        sql = self._database.sql
        yield from step(sql["lock"], source, target.id)
        rows = yield from step(sql["source"], source)
        if not rows:
            return
        ((conversation, wake, due_at),) = rows
        yield from step(sql["create"], *lane_values(target))
        yield from step(sql["move_work"], target.id, wake, conversation, due_at is not None)
        for name in ("move_events", "move_deliveries", "move_conversations"):
            yield from step(sql[name], source, target.id)
        yield from step(sql["remove"], source)
