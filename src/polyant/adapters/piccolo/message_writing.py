"""Statements that append messages to a conversation."""

import json
from collections.abc import Sequence

from polyant.adapters.piccolo.backend import Work
from polyant.adapters.piccolo.conversation_rows import MESSAGE, columns, message_values, microseconds
from polyant.adapters.piccolo.dialects import Statements, step
from polyant.domain.conversations import ConversationId, Message, TurnId
from polyant.domain.errors import UnknownConversationError

RECORDS = """ROWS FROM (jsonb_to_recordset(JSON::jsonb) AS (
    id text, role text, content text, at bigint, turn text, tokens bigint, answered boolean, digest text,
    platform_id text, sender text, tools text, finish_reason text
)) AS message"""
"""The messages of a JSON array as rows in their order, on PostgreSQL."""

MESSAGE_STATEMENTS = {
    "conversation": "SELECT id FROM conversations WHERE id = $1 FOR UPDATE",
    "repeated": """
        DELETE FROM conversation_messages
        WHERE conversation = $1 AND NOT answered AND digest IN @texts(2) AND id NOT IN @texts(3) RETURNING id
    """,
    "add_message": f"""
        INSERT INTO conversation_messages (conversation, {columns(MESSAGE)})
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) ON CONFLICT DO NOTHING RETURNING answered
    """,
    "answered": """
        UPDATE conversation_messages SET answered = true
        WHERE conversation = $1 AND turn = $2 AND NOT answered RETURNING id
    """,
    "counted": """
        UPDATE conversations SET messages = messages + $2, unanswered = unanswered + $3,
            updated_at = greatest(updated_at, $4), client_managed = client_managed OR $5
        WHERE id = $1
    """,
}


def append_messages(
    sql: Statements,
    conversation: ConversationId,
    messages: Sequence[Message],
    *,
    answers: TurnId | None = None,
    client_managed: bool = False,
) -> Work[int]:
    """Appends messages within a transaction, and returns how many were new.

    Raises:
        UnknownConversationError: The conversation doesn't exist.
    """
    known = yield from step(sql["conversation"], conversation)
    if not known:
        raise UnknownConversationError
    ids = json.dumps([message.id for message in messages])
    gone = yield from step(sql["repeated"], conversation, digests_of(messages), ids)
    added: list[bool] = []
    for message in messages:
        rows = yield from step(sql["add_message"], conversation, *message_values(message))
        added += [bool(row[0]) for row in rows]
    answered = () if answers is None else (yield from step(sql["answered"], conversation, answers))
    yield from step(
        sql["counted"],
        conversation,
        len(added) - len(gone),
        added.count(False) - len(gone) - len(answered),
        max((microseconds(message.at) for message in messages), default=0),
        client_managed,
    )
    return len(added)


def digests_of(messages: Sequence[Message]) -> str:
    """Returns the digests of the messages as a JSON array."""
    return json.dumps([message.digest for message in messages if message.digest is not None])
