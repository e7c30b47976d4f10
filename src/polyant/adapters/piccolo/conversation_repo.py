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
    current_of,
    history_of,
    message_of,
    microseconds,
    stored_text,
)
from polyant.adapters.piccolo.database import PiccoloDatabase
from polyant.adapters.piccolo.dialects import step
from polyant.adapters.piccolo.lanes import CREATE, RELEASE
from polyant.adapters.piccolo.message_appending import APPEND_STATEMENTS, append_in_one
from polyant.adapters.piccolo.message_writing import MESSAGE_STATEMENTS, append_messages
from polyant.adapters.piccolo.sql import NO_LIMIT
from polyant.domain.conversations import (
    API_CHANNEL,
    Conversation,
    ConversationFilter,
    ConversationId,
    ConversationPage,
    ConversationSelection,
    CurrentConversation,
    Deletion,
    History,
    HistoryPiece,
    LaneId,
    Message,
    TurnId,
    count_within,
)
from polyant.domain.errors import LeaseLostError, UnknownConversationError
from polyant.domain.lanes import Lease
from polyant.domain.ports.conversation_repo import ConversationRepo

# Only one row has the conversation, because a history has up to a thousand rows; the database sorts them only once.
_ONCE = ", ".join(f"CASE WHEN message.place > 1 THEN NULL ELSE conversation.{name} END" for name in CONVERSATION)
_BOTH = f"{columns(MESSAGE, 'message')}, message.number, {_ONCE}"
_FIRST_BATCH, _GROWTH = 4, 4
_PLACED = "SELECT newest.*, row_number() OVER () AS place FROM"

_STATEMENTS = {
    **MESSAGE_STATEMENTS,
    **DELETION_STATEMENTS,
    **APPEND_STATEMENTS,
    "release": f"UPDATE lanes SET {RELEASE.format(again='wake <> $2', delay=0)} WHERE id = $1",
    # As few columns as a turn needs: each one of up to a thousand rows costs the server and the reader.
    "current": f"""
        SELECT conversation.id, ''::varchar, @array({columns(CONVERSATION, "conversation")})::text, 0::bigint, 0::bigint
        FROM lanes AS lane JOIN conversations AS conversation ON conversation.id = lane.conversation
        WHERE lane.id = $1
        UNION ALL SELECT * FROM (
            SELECT {stored_text("$3")} FROM conversation_messages
            WHERE conversation = (SELECT conversation FROM lanes WHERE id = $1) AND answered
            ORDER BY number DESC LIMIT $2
        ) AS newest
    """,
    "show": f"""
        SELECT {_BOTH} FROM conversations AS conversation LEFT JOIN (
            {_PLACED} (
                SELECT * FROM conversation_messages WHERE conversation = $1 ORDER BY number DESC LIMIT $2
            ) AS newest
        ) AS message ON message.conversation = conversation.id
        WHERE conversation.id = $1
    """,
    "newest_sizes": """
        SELECT tokens FROM conversation_messages WHERE conversation = $1 ORDER BY number DESC LIMIT $2 OFFSET $3
    """,
    "place": f"""
        SELECT {columns(CONVERSATION)}, coalesce(
            (SELECT number FROM conversation_messages WHERE conversation = $1 AND id = $2), 0
        ) FROM conversations WHERE id = $1
    """,
    "next_sizes": """
        SELECT tokens FROM conversation_messages WHERE conversation = $1 AND number > $2
        ORDER BY number LIMIT $3 OFFSET $4
    """,
    "next": f"""
        SELECT {columns(MESSAGE)} FROM conversation_messages
        WHERE conversation = $1 AND number > $2 ORDER BY number LIMIT $3
    """,
    "lane": CREATE.format("epoch = lane.epoch"),
    "one": f"SELECT {columns(CONVERSATION)} FROM conversations WHERE id = $1",
    "add": f"""
        INSERT INTO conversations ({columns(CONVERSATION)})
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) ON CONFLICT (id) DO NOTHING
    """,
    "point": "UPDATE lanes SET conversation = $2 WHERE id = $1",
    "is_leased": "SELECT id FROM lanes WHERE id = $1 AND epoch = $2 AND owner = $3",
}


class PiccoloConversationRepo(ConversationRepo):
    """Keeps conversations in the database.

    Args:
        database: Must be open and migrated at the first call.
    """

    def __init__(self, *, database: PiccoloDatabase) -> None:
        self._database = ConversationDatabase(database, _STATEMENTS)

    async def current(self, lane: LaneId, *, newest: int, tokens: int | None = None) -> CurrentConversation | None:
        return current_of(await self._database.read("current", lane, newest, NO_LIMIT if tokens is None else tokens))

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
        await append_in_one(
            self._database,
            conversation,
            messages,
            lease=lease,
            answers=answers,
            client_managed=client_managed,
            release=release,
        )

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
            held = yield from step(sql["is_leased"], lease.lane.id, lease.epoch, lease.owner)
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

    async def show(
        self,
        conversation: ConversationId,
        *,
        newest: int | None = None,
        tokens: int | None = None,
        piece: HistoryPiece | None = None,
    ) -> History:
        if piece is not None:
            return await self._piece(conversation, piece)
        limit = NO_LIMIT if newest is None else newest
        if tokens is not None:
            limit = await self._fitting("newest_sizes", conversation, limit=limit, tokens=tokens)
        history = history_of(await self._database.read("show", conversation, limit))
        if history is None:
            raise UnknownConversationError
        return history

    async def _piece(self, conversation: ConversationId, piece: HistoryPiece) -> History:
        rows = await self._database.read("place", conversation, piece.after)
        if not rows:
            raise UnknownConversationError
        ((*known, place),) = rows
        if piece.after is not None and not place:
            raise UnknownConversationError
        fitting = await self._fitting("next_sizes", conversation, place, limit=piece.limit, tokens=piece.tokens)
        found = await self._database.read("next", conversation, place, fitting)
        return History(conversation=conversation_of(known), messages=tuple(map(message_of, found)))

    async def _fitting(self, statement: str, *arguments: object, limit: int, tokens: int) -> int:
        """Returns how many of the first rows have at most that many tokens together.

        They are asked for in growing batches, because SQLite reads a whole text for the number of tokens behind it.
        """
        sizes, batch, is_last = list[int](), _FIRST_BATCH, False
        while not is_last and len(sizes) < limit and sum(sizes) <= tokens:
            batch = min(batch, limit - len(sizes))
            rows = await self._database.read(statement, *arguments, batch, len(sizes))
            sizes += [size for (size,) in rows]
            is_last, batch = len(rows) < batch, batch * _GROWTH
        return count_within(sizes, tokens)

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
