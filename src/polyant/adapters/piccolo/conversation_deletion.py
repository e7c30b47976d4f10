"""Statements that delete batches of messages, with what goes with the last one of a conversation.

Lanes are locked before conversations, as everywhere, and in the order of their ids, so that transactions can't
deadlock.
"""

import json
from collections.abc import Sequence
from typing import NamedTuple

from polyant.adapters.piccolo.backend import Row, Work
from polyant.adapters.piccolo.dialects import Statements, step
from polyant.domain.conversations import ConversationSelection, Deletion

_FREE = """owner IS NULL AND due_at IS NULL AND conversation IS NULL
    AND NOT EXISTS (SELECT 1 FROM channel_events WHERE channel_events.lane = lanes.id)
    AND NOT EXISTS (SELECT 1 FROM channel_deliveries WHERE channel_deliveries.lane = lanes.id)"""

DELETION_STATEMENTS = {
    "selected": """
        SELECT id, conversation FROM conversation_messages WHERE number IN (
            SELECT message.number FROM conversations JOIN conversation_messages AS message
                ON message.conversation = conversations.id
            WHERE conversations.instance = $1 AND ($2::text IS NULL OR conversations.id = $2)
                AND ($3::text IS NULL OR conversations.user_hash = $3)
            UNION SELECT message.number FROM conversation_messages AS message JOIN conversations
                ON message.conversation = conversations.id
            WHERE message.sender = $3 AND conversations.instance = $1
        ) LIMIT $4
    """,
    "selected_empty": """
        SELECT id FROM conversations WHERE instance = $1 AND ($2::text IS NULL OR id = $2)
            AND ($3::text IS NULL OR user_hash = $3) AND messages = 0 LIMIT $4
    """,
    "lock_lanes": """
        SELECT id FROM lanes WHERE id IN (SELECT lane FROM conversations WHERE id IN @texts(1)) ORDER BY id FOR UPDATE
    """,
    "lock_owned_lanes": """
        SELECT id, instance = $2 AND ($3::text IS NULL OR user_hash = $3) FROM lanes WHERE id IN (
            SELECT lane FROM conversations WHERE id IN @texts(1)
            UNION SELECT id FROM lanes WHERE instance = $2 AND ($3::text IS NULL OR user_hash = $3)
        ) ORDER BY id FOR UPDATE
    """,
    # A turn that waits for one of these lanes has read its messages already: so it sees that they have changed.
    "outdate_lanes": """
        UPDATE lanes SET epoch = epoch + 1
        WHERE id IN (SELECT lane FROM conversations WHERE id IN @texts(1)) AND owner IS NULL
    """,
    "lock_conversations": "SELECT id FROM conversations WHERE id IN @texts(1) ORDER BY id FOR UPDATE",
    "drop_messages": "DELETE FROM conversation_messages WHERE id IN @texts(1) RETURNING id",
    "recount": """
        UPDATE conversations SET
            messages = (SELECT count(*) FROM conversation_messages WHERE conversation = conversations.id),
            unanswered = (
                SELECT count(*) FROM conversation_messages WHERE conversation = conversations.id AND NOT answered
            )
        WHERE id IN @texts(1) RETURNING id, messages
    """,
    "lanes_of": "SELECT lane FROM conversations WHERE id IN @texts(1)",
    "unpoint": "UPDATE lanes SET conversation = NULL WHERE conversation IN @texts(1)",
    "drop_conversations": "DELETE FROM conversations WHERE id IN @texts(1)",
    "drop_chunks": "DELETE FROM channel_deliveries WHERE conversation IN @texts(1)",
    "drop_free_lanes": f"DELETE FROM lanes WHERE id IN @texts(1) AND {_FREE}",
    "drop_lane_chunks": """
        DELETE FROM channel_deliveries WHERE id IN (
            SELECT id FROM channel_deliveries WHERE lane IN @texts(1) LIMIT $2
        ) RETURNING id
    """,
    "drop_lane_events": """
        DELETE FROM channel_events WHERE id IN (
            SELECT id FROM channel_events WHERE lane IN @texts(1) LIMIT $2
        ) RETURNING id
    """,
    "drop_user_events": """
        DELETE FROM channel_events WHERE id IN (
            SELECT id FROM channel_events WHERE instance = $1 AND user_hash = $2 LIMIT $3
        ) RETURNING id
    """,
    "idle_lanes": """
        UPDATE lanes SET due_at = NULL WHERE id IN @texts(1) AND owner IS NULL
            AND NOT EXISTS (SELECT 1 FROM channel_events WHERE channel_events.lane = lanes.id AND state = 'open')
            AND NOT EXISTS (
                SELECT 1 FROM channel_deliveries
                WHERE channel_deliveries.lane = lanes.id AND state IN ('queued', 'sending')
            )
        RETURNING id
    """,
    "drop_idle_lanes": f"""
        DELETE FROM lanes WHERE {_FREE} AND id IN (
            SELECT id FROM lanes WHERE owner IS NULL AND conversation IS NULL AND due_at IS NULL AND created_at < $1
                AND {_FREE} LIMIT $2 FOR UPDATE SKIP LOCKED
        )
    """,
}


class _Batch(NamedTuple):
    """The ids of the messages that one transaction deletes, and of their conversations, as JSON arrays."""

    messages: str
    conversations: str
    is_last: bool


def delete_selected(sql: Statements, selection: ConversationSelection, limit: int) -> Work[Deletion]:
    """Deletes one batch of the selected conversations, and the work of their user or instance."""
    values = selection.instance, selection.conversation, selection.user, limit + 1
    found = yield from step(sql["selected"], *values)
    empty = yield from step(sql["selected_empty"], *values)
    if selection.conversation is not None:
        return (yield from delete_messages(sql, found, empty, limit))
    batch = _batch_of(found, empty, limit)
    lanes = yield from step(sql["lock_owned_lanes"], batch.conversations, selection.instance, selection.user)
    deletion = yield from _delete_batch(sql, batch)
    is_complete = yield from _delete_work(sql, selection, [row[0] for row in lanes if row[1]], limit)
    return Deletion(
        messages=deletion.messages,
        conversations=deletion.conversations,
        complete=deletion.complete and is_complete,
    )


def delete_messages(sql: Statements, found: Sequence[Row], empty: Sequence[Row], limit: int) -> Work[Deletion]:
    """Deletes messages and the conversations that are left without any.

    Args:
        sql: Statements that include DELETION_STATEMENTS.
        found: The ids of messages and of their conversations, one more than the limit if there are more.
        empty: The ids of conversations without messages, also one more than the limit if there are more.
        limit: The maximum number of messages and of empty conversations.
    """
    batch = _batch_of(found, empty, limit)
    yield from step(sql["lock_lanes"], batch.conversations)
    return (yield from _delete_batch(sql, batch))


def _batch_of(found: Sequence[Row], empty: Sequence[Row], limit: int) -> _Batch:
    touched = {*(row[1] for row in found[:limit]), *(row[0] for row in empty[:limit])}
    return _Batch(
        messages=json.dumps([row[0] for row in found[:limit]]),
        conversations=json.dumps(sorted(touched)),
        is_last=max(len(found), len(empty)) <= limit,
    )


def _delete_batch(sql: Statements, batch: _Batch) -> Work[Deletion]:
    """Deletes the batch, whose lanes are locked."""
    yield from step(sql["lock_conversations"], batch.conversations)
    yield from step(sql["outdate_lanes"], batch.conversations)
    gone = yield from step(sql["drop_messages"], batch.messages)
    counts = yield from step(sql["recount"], batch.conversations)
    emptied = [row[0] for row in counts if not row[1]]
    yield from _drop_conversations(sql, json.dumps(emptied))
    return Deletion(messages=tuple(row[0] for row in gone), conversations=tuple(emptied), complete=batch.is_last)


def _drop_conversations(sql: Statements, conversations: str) -> Work[None]:
    lanes = yield from step(sql["lanes_of"], conversations)
    for name in ("unpoint", "drop_conversations", "drop_chunks"):
        yield from step(sql[name], conversations)
    yield from step(sql["drop_free_lanes"], json.dumps([row[0] for row in lanes]))


def _delete_work(sql: Statements, selection: ConversationSelection, owned: Sequence[str], limit: int) -> Work[bool]:
    """Deletes the events, deliveries and free lanes of a user or an instance; returns whether that is complete."""
    lanes = json.dumps(owned)
    chunks = yield from step(sql["drop_lane_chunks"], lanes, limit)
    events = yield from step(sql["drop_lane_events"], lanes, limit)
    others: Sequence[object] = ()
    if selection.user is not None:
        others = yield from step(sql["drop_user_events"], selection.instance, selection.user, limit)
    idle = yield from step(sql["idle_lanes"], lanes)
    yield from step(sql["drop_free_lanes"], json.dumps([row[0] for row in idle]))
    return max(len(chunks), len(events), len(others)) < limit
