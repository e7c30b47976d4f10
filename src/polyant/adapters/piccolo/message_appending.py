"""Appends messages on PostgreSQL in one round trip.

A turn appends one message at its beginning and one at its end. Statements for exactly these calls cost the server about
half as much as the statement for any call.
"""

import json
from collections.abc import Sequence

import asyncpg  # type: ignore[import-untyped] # it ships none

from polyant.adapters.piccolo.conversation_database import ConversationDatabase
from polyant.adapters.piccolo.conversation_rows import MESSAGE, columns, message_values
from polyant.adapters.piccolo.lanes import RELEASE
from polyant.adapters.piccolo.message_writing import RECORDS, digests_of
from polyant.domain.conversations import ConversationId, Message, TurnId
from polyant.domain.errors import LeaseLostError, UnknownConversationError
from polyant.domain.lanes import Lease

# Parameters: 1 conversation, 2 lane or null, 3 epoch, 4 messages, 5 digests, 6 the turn that is answered, or null,
# 7 client managed, OWNER the owner of the lease, or null. One row: whether the lease is held, and whether the
# conversation exists.
_APPEND = f"""
    WITH lane AS MATERIALIZED (
        SELECT id FROM lanes WHERE id = $2::text AND epoch = $3::bigint AND owner = OWNER::text FOR UPDATE
    ), conversation AS MATERIALIZED (
        SELECT id FROM conversations
        WHERE id = $1::text AND ($2::text IS NULL OR EXISTS (SELECT 1 FROM lane)) FOR UPDATE
    ), message AS MATERIALIZED (
        SELECT message.* FROM {RECORDS.replace("JSON", "$4")}
    ), gone AS (
        DELETE FROM conversation_messages AS stored USING conversation
        WHERE stored.conversation = conversation.id AND NOT answered AND digest IN @texts(5)
            AND stored.id NOT IN (SELECT id FROM message)
        RETURNING stored.id
    ), said AS (
        INSERT INTO conversation_messages (conversation, {columns(MESSAGE)})
        SELECT conversation.id, message.id, role, content, at, turn, tokens,
            answered OR coalesce(turn = $6::text, false), digest, platform_id, sender, tools, finish_reason
        FROM conversation, message
        ON CONFLICT DO NOTHING RETURNING answered
    ), done AS (
        UPDATE conversation_messages AS stored SET answered = true FROM conversation
        WHERE stored.conversation = conversation.id AND turn = $6::text AND NOT answered
            AND (digest IS NULL OR digest NOT IN @texts(5) OR stored.id IN (SELECT id FROM message))
        RETURNING stored.id
    ), counted AS (
        UPDATE conversations AS stored SET
            messages = messages + (SELECT count(*) FROM said) - (SELECT count(*) FROM gone),
            unanswered = unanswered + (SELECT count(*) FROM said WHERE NOT answered) - (SELECT count(*) FROM gone)
                - (SELECT count(*) FROM done),
            updated_at = greatest(updated_at, (SELECT max(at) FROM message)),
            client_managed = client_managed OR $7::boolean
        FROM conversation WHERE stored.id = conversation.id
    )RELEASED
    SELECT $2::text IS NULL OR EXISTS (SELECT 1 FROM lane), EXISTS (SELECT 1 FROM conversation)
"""

# Parameter 8: the events that the lane had received when its work was loaded.
_RELEASED = f""", released AS (
        UPDATE lanes SET {RELEASE.format(again="wake <> $8", delay=0)} FROM lane, conversation WHERE lanes.id = lane.id
    )"""

# Parameters: 1 conversation, 2 lane, 3 epoch, 4 to 15 the message, 16 client managed, OWNER as above. No row:
# nothing has changed.
_FREE_OF_REPEATS = """SELECT id FROM lanes WHERE id = $2::text AND epoch = $3::bigint AND owner = OWNER::text
        AND NOT EXISTS (
            SELECT 1 FROM conversation_messages
            WHERE conversation = $1::text AND NOT answered AND digest = $11::text
        ) FOR UPDATE"""
"""The lane, if it is leased and the message repeats no unanswered one."""
_STORED = f"""
        INSERT INTO conversation_messages (conversation, {columns(MESSAGE)})
        SELECT id, $4::text, $5::text, $6::text, $7::bigint, $8::text, $9::bigint, ANSWERED, $11::text, $12::text,
            $13::text, $14::text, $15::text
        FROM counted RETURNING number
"""
_COUNTED = """
        UPDATE conversations SET messages = messages + 1, unanswered = unanswered + CHANGE,
            updated_at = greatest(updated_at, $7::bigint), client_managed = client_managed OR $16::boolean
        WHERE id = $1::text AND EXISTS (SELECT 1 FROM lane) RETURNING id
"""

_APPEND_ONE = f"""
    WITH lane AS MATERIALIZED (
        {_FREE_OF_REPEATS}
    ), counted AS ({_COUNTED.replace("CHANGE", "CASE WHEN $10::boolean THEN 0 ELSE 1 END")})
    {_STORED.replace("ANSWERED", "$10::boolean")}
"""

# Further parameters: 17 the turn that is answered, 18 the events that the lane had received.
_ANSWERED = "($10::boolean OR $8::text = $17::text)"
_APPEND_ANSWER = f"""
    WITH lane AS MATERIALIZED (
        {_FREE_OF_REPEATS}
    ), done AS (
        UPDATE conversation_messages SET answered = true
        WHERE conversation = $1::text AND turn = $17::text AND NOT answered AND EXISTS (SELECT 1 FROM lane)
        RETURNING number
    ), counted AS (
        {_COUNTED.replace("CHANGE", f"CASE WHEN {_ANSWERED} THEN 0 ELSE 1 END - (SELECT count(*) FROM done)")}
    ), stored AS ({_STORED.replace("ANSWERED", _ANSWERED)})
    UPDATE lanes SET {RELEASE.format(again="wake <> $18", delay=0)} FROM stored WHERE lanes.id = $2::text
    RETURNING lanes.id
"""

APPEND_STATEMENTS = {
    "append": _APPEND.replace("RELEASED", "").replace("OWNER", "$8"),
    "append_and_release": _APPEND.replace("RELEASED", _RELEASED).replace("OWNER", "$9"),
    "append_one": _APPEND_ONE.replace("OWNER", "$17"),
    "append_answer": _APPEND_ANSWER.replace("OWNER", "$19"),
    "are_stored": "SELECT count(*) = $3 FROM conversation_messages WHERE conversation = $1 AND id IN @texts(2)",
}


async def append_in_one(
    database: ConversationDatabase,
    conversation: ConversationId,
    messages: Sequence[Message],
    *,
    lease: Lease | None,
    answers: TurnId | None,
    client_managed: bool,
    release: bool,
) -> None:
    """Appends messages as `ConversationRepo.append` does, and raises as it does.

    Args:
        database: A PostgreSQL database; its statements include APPEND_STATEMENTS.
        conversation: The conversation.
        messages: The messages, oldest first.
        lease: The lease of the conversation's lane.
        answers: The turn whose unanswered messages become answered.
        client_managed: Whether the conversation is client-managed from now on.
        release: Whether the lease ends with the write.
    """
    ends = lease if release else None
    if len(messages) == 1 and lease is not None and release == (answers is not None):
        values = conversation, lease.lane.id, lease.epoch, *message_values(messages[0]), client_managed
        if await _append_one(
            database, "append_one" if ends is None else "append_answer", *values, *_end(ends, answers), lease.owner
        ):
            return
    records = [dict(zip(MESSAGE, message_values(message), strict=True)) for message in messages]
    ((is_leased, is_known),) = await database.write(
        "append" if ends is None else "append_and_release",
        conversation,
        None if lease is None else lease.lane.id,
        None if lease is None else lease.epoch,
        json.dumps(records),
        digests_of(messages),
        answers,
        client_managed,
        *(() if ends is None else (ends.wake,)),
        None if lease is None else lease.owner,
    )
    if not is_leased:
        if release and await _are_stored(database, conversation, messages):
            return
        raise LeaseLostError
    if not is_known:
        raise UnknownConversationError


def _end(ends: Lease | None, answers: TurnId | None) -> tuple[object, ...]:
    return () if ends is None else (answers, ends.wake)


async def _append_one(database: ConversationDatabase, name: str, *values: object) -> bool:
    """Returns whether the message was stored; otherwise, the statement for any call tells why, or stores it."""
    try:
        return bool(await database.write(name, *values))
    except asyncpg.UniqueViolationError:  # it is stored already
        return False


async def _are_stored(
    database: ConversationDatabase, conversation: ConversationId, messages: Sequence[Message]
) -> bool:
    ids = json.dumps([message.id for message in messages])
    ((are_stored,),) = await database.read("are_stored", conversation, ids, len(messages))
    return bool(are_stored)
