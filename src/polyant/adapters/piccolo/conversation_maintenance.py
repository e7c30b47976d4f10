"""Retention, key rotation and repair of the conversations in the database."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta

from polyant.adapters.piccolo.backend import Work
from polyant.adapters.piccolo.conversation_database import ConversationDatabase
from polyant.adapters.piccolo.conversation_deletion import DELETION_STATEMENTS, delete_messages
from polyant.adapters.piccolo.conversation_rows import microseconds
from polyant.adapters.piccolo.database import PiccoloDatabase
from polyant.adapters.piccolo.dialects import step
from polyant.domain.conversations import Deletion, KeyKind, KeyReplacement, LaneId, WrappedKey
from polyant.domain.ports.conversation_maintenance import ConversationMaintenance

_OPEN_LANES = """
    SELECT id FROM lanes WHERE due_at IS NULL AND kind = 'channel' AND id IN (
        SELECT lane FROM channel_events WHERE state = 'open'
        UNION SELECT lane FROM channel_deliveries WHERE state IN ('queued', 'sending')
    )
"""

_STATEMENTS = {
    **DELETION_STATEMENTS,
    "old_messages": "SELECT id, conversation FROM conversation_messages WHERE at < $1 ORDER BY at LIMIT $2",
    "old_empty": "SELECT id FROM conversations WHERE messages = 0 AND updated_at < $1 LIMIT $2",
    "drop_old_events": """
        DELETE FROM channel_events WHERE id IN (
            SELECT id FROM channel_events
            WHERE received_at < greatest($1::bigint, $2::bigint) AND state <> 'open'
                AND received_at < CASE state WHEN 'dead' THEN $2::bigint ELSE $1::bigint END
            ORDER BY received_at LIMIT $3 FOR UPDATE SKIP LOCKED
        ) RETURNING id
    """,
    "drop_old_chunks": """
        DELETE FROM channel_deliveries WHERE id IN (
            SELECT id FROM channel_deliveries
            WHERE created_at < greatest($1::bigint, $2::bigint) AND state NOT IN ('queued', 'sending')
                AND created_at < CASE state WHEN 'unknown' THEN $2::bigint ELSE $1::bigint END
            ORDER BY created_at LIMIT $3 FOR UPDATE SKIP LOCKED
        ) RETURNING id
    """,
    "more_events": """
        SELECT EXISTS (
            SELECT 1 FROM channel_events
            WHERE received_at < greatest($1::bigint, $2::bigint) AND state <> 'open'
                AND received_at < CASE state WHEN 'dead' THEN $2::bigint ELSE $1::bigint END
        ) OR EXISTS (
            SELECT 1 FROM channel_deliveries
            WHERE created_at < greatest($1::bigint, $2::bigint) AND state NOT IN ('queued', 'sending')
                AND created_at < CASE state WHEN 'unknown' THEN $2::bigint ELSE $1::bigint END
        )
    """,
    "old_days": "SELECT day FROM ingest_keys WHERE day < $1",
    "drop_day": """
        DELETE FROM ingest_keys WHERE day = $1
            AND NOT EXISTS (
                SELECT 1 FROM channel_events WHERE payload IS NOT NULL AND received_at >= $2 AND received_at < $3
            )
            AND NOT EXISTS (
                SELECT 1 FROM channel_deliveries WHERE content IS NOT NULL AND created_at >= $2 AND created_at < $3
            )
    """,
    "broken_lanes": _OPEN_LANES,
    "heal": f"UPDATE lanes SET due_at = @now WHERE id IN ({_OPEN_LANES} FOR UPDATE SKIP LOCKED) RETURNING id",
    # Two ranges of the index, unlike `<>`.
    "outdated_keys": """
        SELECT 'conversation', id, data_key, wrapped_by FROM conversations WHERE wrapped_by < $1 OR wrapped_by > $1
        UNION ALL SELECT 'ingest', day, data_key, wrapped_by FROM ingest_keys WHERE wrapped_by <> $1
        LIMIT $2
    """,
    "replace_conversation": """
        UPDATE conversations SET data_key = $3, wrapped_by = $4 WHERE id = $1 AND data_key = $2 RETURNING id
    """,
    "replace_ingest": """
        UPDATE ingest_keys SET data_key = $3, wrapped_by = $4 WHERE day = $1 AND data_key = $2 RETURNING day
    """,
    "count_keys": """
        SELECT (SELECT count(*) FROM conversations WHERE wrapped_by = $1)
            + (SELECT count(*) FROM ingest_keys WHERE wrapped_by = $1)
    """,
}


class PiccoloConversationMaintenance(ConversationMaintenance):
    """Works on the conversations, lanes, events and deliveries in the database.

    Args:
        database: Must be open and migrated at the first call.
    """

    def __init__(self, *, database: PiccoloDatabase) -> None:
        self._database = ConversationDatabase(database, _STATEMENTS)

    async def expire_messages(self, before: datetime, *, limit: int) -> Deletion:
        deletion = await self._database.transact(lambda: self._expire(microseconds(before), limit))
        if deletion.complete and (deletion.messages or deletion.conversations):
            await self._database.forget()
        return deletion

    def _expire(self, before: int, limit: int) -> Work[Deletion]:
        sql = self._database.sql
        found = yield from step(sql["old_messages"], before, limit + 1)
        empty = yield from step(sql["old_empty"], before, limit + 1)
        return (yield from delete_messages(sql, found, empty, limit))

    async def expire_events(self, *, finished_before: datetime, dead_before: datetime, limit: int) -> bool:
        values = microseconds(finished_before), microseconds(dead_before)
        is_complete = await self._database.transact(lambda: self._expire_events(values, finished_before.date(), limit))
        if is_complete:
            await self._database.forget()
        return is_complete

    def _expire_events(self, values: tuple[int, int], end: date, limit: int) -> Work[bool]:
        sql = self._database.sql
        for name in ("drop_old_events", "drop_old_chunks"):
            yield from step(sql[name], *values, limit)
        yield from step(sql["drop_idle_lanes"], values[0], limit)
        for (day,) in (yield from step(sql["old_days"], end.isoformat())):
            # A key is read before the row is stored, so at midnight the row's day is the next one.
            start = datetime.combine(date.fromisoformat(day), time(), UTC)
            yield from step(sql["drop_day"], day, microseconds(start), microseconds(start + timedelta(days=2)))
        ((has_more,),) = yield from step(sql["more_events"], *values)
        return not has_more

    async def heal(self) -> tuple[LaneId, ...]:
        if not await self._database.read("broken_lanes"):
            return ()
        return tuple(sorted(row[0] for row in await self._database.write("heal")))

    async def outdated_keys(self, current: str, *, limit: int) -> tuple[WrappedKey, ...]:
        rows = await self._database.read("outdated_keys", current, limit)
        return tuple(WrappedKey(kind=KeyKind(row[0]), id=row[1], key=row[2], wrapped_by=row[3]) for row in rows)

    async def replace_keys(self, replacements: Sequence[KeyReplacement]) -> int:
        return await self._database.transact(lambda: self._replace(replacements))

    def _replace(self, replacements: Sequence[KeyReplacement]) -> Work[int]:
        replaced = 0
        # In the order of `lock_conversations`, so that transactions can't deadlock.
        for each in sorted(replacements, key=lambda each: (each.old.kind, each.old.id)):
            statement = self._database.sql[f"replace_{each.old.kind}"]
            rows = yield from step(statement, each.old.id, each.old.key, each.new.key, each.new.wrapped_by)
            replaced += len(rows)
        return replaced

    async def count_keys(self, wrapped_by: str) -> int:
        ((count,),) = await self._database.read("count_keys", wrapped_by)
        return int(count)
