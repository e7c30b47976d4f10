"""Conversations in tables."""

import json
from collections.abc import Sequence

import msgspec

from polyant.adapters.piccolo.backend import Work
from polyant.adapters.piccolo.conversation_database import ConversationDatabase
from polyant.adapters.piccolo.conversation_deletion import DELETION_STATEMENTS, delete_selected
from polyant.adapters.piccolo.conversation_filters import Conditions
from polyant.adapters.piccolo.conversation_rows import (
    CONVERSATION,
    MESSAGE,
    columns,
    conversation_of,
    conversation_values,
    history_of,
    message_values,
    microseconds,
)
from polyant.adapters.piccolo.database import PiccoloDatabase
from polyant.adapters.piccolo.dialects import step
from polyant.adapters.piccolo.lanes import CREATE, RELEASE
from polyant.adapters.piccolo.message_writing import MESSAGE_STATEMENTS, RECORDS, append_messages, digests_of
from polyant.adapters.piccolo.sql import NO_LIMIT
from polyant.domain.conversations import (
    API_CHANNEL,
    Conversation,
    ConversationFilter,
    ConversationId,
    ConversationPage,
    ConversationSelection,
    Deletion,
    History,
    LaneId,
    Message,
    TurnId,
)
from polyant.domain.errors import LeaseLostError, UnknownConversationError
from polyant.domain.lanes import Lease
from polyant.domain.ports.conversation_repo import ConversationRepo

# Only one row has the conversation, because a history has up to a thousand rows; the database sorts them only once.
_ONCE = ", ".join(f"CASE WHEN message.place > 1 THEN NULL ELSE conversation.{name} END" for name in CONVERSATION)
_BOTH = f"{columns(MESSAGE, 'message')}, message.number, {_ONCE}"
_PLACED = "SELECT newest.*, row_number() OVER () AS place FROM"

# Parameters: 1 conversation, 2 lane or null, 3 epoch, 4 messages, 5 digests, 6 the turn that is answered, or null,
# 7 client managed. One row: whether the lease is held, and whether the conversation exists.
_APPEND_IN_ONE = f"""
    WITH lane AS MATERIALIZED (
        SELECT id FROM lanes WHERE id = $2::text AND epoch = $3::bigint AND owner IS NOT NULL FOR UPDATE
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

_STATEMENTS = {
    **MESSAGE_STATEMENTS,
    **DELETION_STATEMENTS,
    "append_in_one": _APPEND_IN_ONE.replace("RELEASED", ""),
    "append_and_release": _APPEND_IN_ONE.replace("RELEASED", _RELEASED),
    "release": f"UPDATE lanes SET {RELEASE.format(again='wake <> $2', delay=0)} WHERE id = $1",
    "are_stored": "SELECT count(*) = $3 FROM conversation_messages WHERE conversation = $1 AND id IN @texts(2)",
    "current": f"""
        SELECT {_BOTH} FROM lanes AS lane JOIN conversations AS conversation ON conversation.id = lane.conversation
        LEFT JOIN (
            {_PLACED} (
                SELECT * FROM conversation_messages
                WHERE conversation = (SELECT conversation FROM lanes WHERE id = $1) AND answered
                ORDER BY number DESC LIMIT $2
            ) AS newest
        ) AS message ON message.conversation = conversation.id
        WHERE lane.id = $1
    """,
    "show": f"""
        SELECT {_BOTH} FROM conversations AS conversation LEFT JOIN (
            {_PLACED} (
                SELECT * FROM conversation_messages WHERE conversation = $1 ORDER BY number DESC LIMIT $2
            ) AS newest
        ) AS message ON message.conversation = conversation.id
        WHERE conversation.id = $1
    """,
    "lane": CREATE.format("epoch = lane.epoch"),
    "one": f"SELECT {columns(CONVERSATION)} FROM conversations WHERE id = $1",
    "add": f"""
        INSERT INTO conversations ({columns(CONVERSATION)})
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) ON CONFLICT (id) DO NOTHING
    """,
    "point": "UPDATE lanes SET conversation = $2 WHERE id = $1",
    "is_leased": "SELECT id FROM lanes WHERE id = $1 AND epoch = $2 AND owner IS NOT NULL",
}


class PiccoloConversationRepo(ConversationRepo):
    """Keeps conversations in the database.

    Args:
        database: Must be open and migrated at the first call.
    """

    def __init__(self, *, database: PiccoloDatabase) -> None:
        self._database = ConversationDatabase(database, _STATEMENTS)

    async def current(self, lane: LaneId, *, newest: int) -> History | None:
        return history_of(await self._database.read("current", lane, newest))

    async def start(self, conversation: Conversation, *, replaces: ConversationId | None = None) -> Conversation:
        return await self._database.transact(lambda: self._start(conversation, replaces))

    def _start(self, draft: Conversation, replaces: ConversationId | None) -> Work[Conversation]:
        sql = self._database.sql
        kind = "api" if draft.channel == API_CHANNEL else "channel"
        ((current,),) = yield from step(sql["lane"], draft.lane, kind, draft.instance, draft.channel, "", draft.user)
        if current not in {None, replaces}:
            rows = yield from step(sql["one"], current)
            return conversation_of(rows[0])
        yield from step(sql["add"], *conversation_values(draft))
        yield from step(sql["point"], draft.lane, draft.id)
        return msgspec.structs.replace(draft, messages=0, unanswered=0)

    async def append(
        self,
        conversation: ConversationId,
        messages: Sequence[Message],
        *,
        lease: Lease | None = None,
        answers: TurnId | None = None,
        client_managed: bool = False,
        release: bool = False,
    ) -> None:
        if self._database.is_sqlite:
            await self._database.transact(
                lambda: self._append(
                    conversation, messages, lease, answers, client_managed=client_managed, release=release
                )
            )
            return
        records = [dict(zip(MESSAGE, message_values(message), strict=True)) for message in messages]
        ((is_leased, is_known),) = await self._database.write(
            "append_and_release" if lease and release else "append_in_one",
            conversation,
            lease.lane.id if lease else None,
            lease.epoch if lease else None,
            json.dumps(records),
            digests_of(messages),
            answers,
            client_managed,
            *((lease.wake,) if lease and release else ()),
        )
        if not is_leased:
            if release and await self._are_stored(conversation, messages):
                return
            raise LeaseLostError
        if not is_known:
            raise UnknownConversationError

    async def _are_stored(self, conversation: ConversationId, messages: Sequence[Message]) -> bool:
        ids = json.dumps([message.id for message in messages])
        ((are_stored,),) = await self._database.read("are_stored", conversation, ids, len(messages))
        return bool(are_stored)

    def _append(
        self,
        conversation: ConversationId,
        messages: Sequence[Message],
        lease: Lease | None,
        answers: TurnId | None,
        *,
        client_managed: bool,
        release: bool,
    ) -> Work[None]:
        sql = self._database.sql
        if lease is not None:
            held = yield from step(sql["is_leased"], lease.lane.id, lease.epoch)
            if not held:
                ids = json.dumps([message.id for message in messages])
                ((are_stored,),) = yield from step(sql["are_stored"], conversation, ids, len(messages))
                if release and are_stored:
                    return
                raise LeaseLostError
        yield from append_messages(sql, conversation, messages, answers=answers, client_managed=client_managed)
        if lease is not None and release:
            yield from step(sql["release"], lease.lane.id, lease.wake)

    async def list(self, query: ConversationFilter, *, limit: int, offset: int = 0) -> ConversationPage:
        conditions = Conditions()
        conditions.equal("instance", query.instance)
        conditions.equal("channel", query.channel)
        conditions.equal("user_hash", query.user)
        if query.since is not None:
            conditions.add("updated_at >= {}", microseconds(query.since))
        if query.until is not None:
            conditions.add("updated_at < {}", microseconds(query.until))
        if query.unanswered is not None:
            conditions.add("unanswered > 0" if query.unanswered else "unanswered = 0")
        if query.text is not None:
            conditions.add(_TEXT, query.text, len(query.text), query.text, msgspec.json.encode(query.text).decode())
        found, total = await conditions.page(
            self._database, "conversations", columns(CONVERSATION), "updated_at DESC, id", limit=limit, offset=offset
        )
        return ConversationPage(tuple(conversation_of(row) for row in found), total)

    async def show(self, conversation: ConversationId, *, newest: int | None = None) -> History:
        limit = NO_LIMIT if newest is None else newest
        history = history_of(await self._database.read("show", conversation, limit))
        if history is None:
            raise UnknownConversationError
        return history

    async def delete(self, selection: ConversationSelection, *, limit: int) -> Deletion:
        deletion = await self._database.transact(lambda: delete_selected(self._database.sql, selection, limit))
        if deletion.complete:
            await self._database.forget()
        return deletion


_TEXT = """({}::text = substr(id, 1, {}::int) OR EXISTS (
    SELECT 1 FROM conversation_messages AS message
    WHERE message.conversation = conversations.id AND (message.turn = {} OR strpos(message.tools, {}) > 0)
))"""
"""Parameters: the text, its length, the text, and the text as JSON."""
