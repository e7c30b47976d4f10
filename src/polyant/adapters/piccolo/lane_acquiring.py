"""Acquires lanes, on PostgreSQL in one round trip with what a turn reads and writes first."""

import contextlib

import asyncpg  # type: ignore[import-untyped] # it ships none
import msgspec

from polyant.adapters.piccolo.backend import Work
from polyant.adapters.piccolo.conversation_database import ConversationDatabase
from polyant.adapters.piccolo.conversation_rows import (
    CONVERSATION,
    LEASE,
    MESSAGE,
    columns,
    lease_of,
    lease_with_current,
    message_values,
    stored_text,
)
from polyant.adapters.piccolo.dialects import Statements, step
from polyant.adapters.piccolo.message_writing import MESSAGE_STATEMENTS, append_messages
from polyant.domain.errors import UnknownConversationError
from polyant.domain.lanes import FirstMessage, Lease

DESCRIPTION = """kind = excluded.kind, instance = excluded.instance, channel = excluded.channel,
        account = excluded.account, user_hash = excluded.user_hash"""

_ACQUIRE = f"""
        INSERT INTO lanes AS lane (id, kind, instance, channel, account, user_hash,
            owner, due_at, not_before, burst_since, wake, epoch, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, @now + $8, 0, 0, 0, 1, @now)
        ON CONFLICT (id) DO UPDATE SET {DESCRIPTION},
            epoch = lane.epoch + 1, owner = excluded.owner, due_at = @now + $8
        WHERE lane.owner IS NULL OR lane.due_at <= @now
        RETURNING {columns(LEASE)}
"""

_WINDOW = "least($9::bigint, answers - (greatest(0, answers - $9 + step - 1)) / step * step)"
"""The number of messages in the history window, see `window_start`: if there are more than $9, about half of them."""

# A statement reads rows as they were when it began, but takes the lane as it is. The conversation is up to date only if
# the lane was free at the beginning, and nobody has leased it or deleted messages since. Otherwise it is neither read
# nor written.
_KNOWN = f"""
    free AS MATERIALIZED (
        SELECT epoch, conversation FROM lanes WHERE id = $1::text AND owner IS NULL
    ), acquired AS ({_ACQUIRE}), known AS MATERIALIZED (
        SELECT conversation.*, messages - unanswered AS answers, greatest(1, $9::bigint - $9 / 2) AS step
        FROM acquired
            JOIN free ON acquired.epoch = free.epoch + 1 AND acquired.conversation = free.conversation
            JOIN conversations AS conversation ON conversation.id = acquired.conversation
    )
"""
# One row for the lease, in which the number of tokens is that of the written messages, one for the conversation, and
# one for each message.
_FOUND = f"""
    SELECT id, ''::varchar, @array({columns(LEASE)})::text, WRITTEN, -1::bigint FROM acquired
    UNION ALL SELECT id, ''::varchar, @array({columns(CONVERSATION)})::text, 0::bigint, 0::bigint FROM known
    UNION ALL SELECT * FROM (
        SELECT {stored_text("$10")} FROM conversation_messages
        WHERE conversation = (SELECT id FROM known) AND answered
        ORDER BY number DESC LIMIT (SELECT {_WINDOW} FROM known)
    ) AS newest
"""

# The commit doesn't wait for the disk, which would cost as much as the statement: the writes of the holder wait for it.
# If the server crashes before, the lane is free again, and another process may get a lease with the same epoch. So a
# lease is checked by its epoch and its owner.
_ACQUIRE_AND_READ = f"""
    WITH relaxed AS MATERIALIZED (
        SELECT set_config('synchronous_commit', 'off', true) AS setting
    ), {_KNOWN} {_FOUND.replace("WRITTEN", "(SELECT 0::bigint FROM relaxed)")}
"""

# Further parameters: 11 the conversation of the message, 12 to 23 the message. Nothing is written if an unanswered
# message has the same content, which the message would replace.
_ACQUIRE_AND_WRITE = f"""
    WITH {_KNOWN}, counted AS (
        UPDATE conversations SET messages = messages + 1,
            unanswered = unanswered + CASE WHEN $18::boolean THEN 0 ELSE 1 END,
            updated_at = greatest(updated_at, $15::bigint)
        WHERE id = (SELECT id FROM known WHERE id = $11::text) AND NOT EXISTS (
            SELECT 1 FROM conversation_messages WHERE conversation = $11::text AND NOT answered AND digest = $19::text
        )
        RETURNING id
    ), written AS (
        INSERT INTO conversation_messages (conversation, {columns(MESSAGE)})
        SELECT id, $12::text, $13::text, $14::text, $15::bigint, $16::text, $17::bigint, $18::boolean, $19::text,
            $20::text, $21::text, $22::text, $23::text
        FROM counted RETURNING number
    ) {_FOUND.replace("WRITTEN", "(SELECT count(*) FROM written)")}
"""

ACQUIRE_STATEMENTS = {
    **MESSAGE_STATEMENTS,
    "acquire": _ACQUIRE,
    "acquire_and_read": _ACQUIRE_AND_READ,
    "acquire_and_write": _ACQUIRE_AND_WRITE,
}


async def acquire_in_one(
    database: ConversationDatabase,
    values: tuple[object, ...],
    first: FirstMessage | None,
) -> Lease | None:
    """Acquires a lane as `Lanes.acquire` does.

    Args:
        database: A PostgreSQL database; its statements include ACQUIRE_STATEMENTS.
        values: The lane, the owner, the duration of the lease, and the numbers of messages and tokens to read.
        first: The message to write.
    """
    if first is not None:
        message = message_values(first.message)
        with contextlib.suppress(asyncpg.UniqueViolationError):  # it is stored already
            return lease_with_current(await database.write("acquire_and_write", *values, first.conversation, *message))
    return lease_with_current(await database.write("acquire_and_read", *values))


def acquire_and_write(sql: Statements, values: tuple[object, ...], first: FirstMessage) -> Work[Lease | None]:
    """Acquires a lane within a transaction, as `Lanes.acquire` does; the lease doesn't contain the conversation."""
    rows = yield from step(sql["acquire"], *values)
    if not rows:
        return None
    lease = lease_of(rows[0])
    if first.conversation != lease.conversation:
        return lease
    try:
        added = yield from append_messages(sql, first.conversation, [first.message])
    except UnknownConversationError:
        return lease
    return msgspec.structs.replace(lease, stored=bool(added))
