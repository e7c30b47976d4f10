"""Conversations in memory."""

from collections.abc import Sequence

import msgspec

from polyant.adapters.memory.lanes import MemoryLanes
from polyant.adapters.memory.store import MemoryStore
from polyant.domain.conversations import (
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
    StoredText,
    TurnId,
    count_within,
)
from polyant.domain.errors import LeaseLostError, UnknownConversationError
from polyant.domain.lanes import Lease, lane_of
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.conversation_repo import ConversationRepo


class MemoryConversationRepo(ConversationRepo):
    """Keeps conversations in memory.

    Args:
        store: The store that the adapters in memory share.
        clock: Determines when a lane was created.
    """

    def __init__(self, *, store: MemoryStore, clock: Clock) -> None:
        self._tables = store.conversations
        self._clock = clock
        self._lanes = MemoryLanes(store=store, clock=clock)

    async def current(self, lane: LaneId, *, newest: int, tokens: int | None = None) -> CurrentConversation | None:
        row = self._tables.lanes.get(lane)
        if row is None or row.conversation is None:
            return None
        answered = [each for each in self._tables.messages[row.conversation] if each.answered]
        return CurrentConversation(
            conversation=self._tables.conversations[row.conversation],
            messages=tuple(
                StoredText(
                    each.id, each.role, "" if tokens is not None and each.tokens > tokens else each.text, each.tokens
                )
                for each in _newest(answered, newest)
            ),
        )

    async def start(self, conversation: Conversation, *, replaces: ConversationId | None = None) -> Conversation:
        lane = lane_of(conversation)
        row = self._tables.lanes.get(lane.id) or self._tables.lane(lane, self._clock.now().timestamp())
        if row.conversation != replaces and row.conversation is not None:
            return self._tables.conversations[row.conversation]
        row.conversation = conversation.id
        stored = msgspec.structs.replace(conversation, messages=0, unanswered=0)
        self._tables.conversations[conversation.id] = stored
        self._tables.messages[conversation.id] = []
        return stored

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
        if lease is not None:
            try:
                self._tables.leased(lease)
            except LeaseLostError:
                if release and self._are_stored(conversation, messages):
                    return
                raise
        self._tables.append(conversation, messages, answers=answers, client_managed=client_managed)
        if lease is not None and release:
            await self._lanes.release(lease)

    def _are_stored(self, conversation: ConversationId, messages: Sequence[Message]) -> bool:
        stored = {message.id for message in self._tables.messages.get(conversation, ())}
        return stored.issuperset(message.id for message in messages)

    async def list(self, query: ConversationFilter, *, limit: int, offset: int = 0) -> ConversationPage:
        found = [each for each in self._tables.conversations.values() if self._matches(each, query)]
        found.sort(key=lambda each: each.id)
        found.sort(key=lambda each: each.updated_at, reverse=True)
        return ConversationPage(tuple(found[offset : offset + limit]), len(found))

    async def show(
        self,
        conversation: ConversationId,
        *,
        newest: int | None = None,
        tokens: int | None = None,
        piece: HistoryPiece | None = None,
    ) -> History:
        known = self._tables.conversations.get(conversation)
        if known is None:
            raise UnknownConversationError
        stored = self._tables.messages[conversation]
        if piece is not None:
            return History(conversation=known, messages=_piece_of(stored, piece))
        shown = _newest(stored, len(stored) if newest is None else newest)
        if tokens is not None:
            shown = _newest(shown, count_within([each.tokens for each in reversed(shown)], tokens))
        return History(conversation=known, messages=shown)

    async def delete(self, selection: ConversationSelection, *, limit: int) -> Deletion:
        tables = self._tables
        empty = [
            each.id for each in tables.conversations.values() if _is_selected(each, selection) and not each.messages
        ]
        for conversation_id in empty[:limit]:
            tables.drop_conversation(conversation_id)
        deleted = tables.drop_messages(
            lambda conversation, message: (
                _is_selected(conversation, selection)
                or (conversation.instance == selection.instance and message.sender == (selection.user or ""))
            ),
            limit,
        )
        if selection.conversation is None:
            self._delete_events(selection)
        return msgspec.structs.replace(
            deleted,
            conversations=(*empty[:limit], *deleted.conversations),
            complete=deleted.complete and len(empty) <= limit,
        )

    def _delete_events(self, selection: ConversationSelection) -> None:
        tables = self._tables
        lanes = {
            key
            for key, row in tables.lanes.items()
            if row.lane.instance == selection.instance and selection.user in {None, row.lane.user}
        }
        tables.events = {
            key: each
            for key, each in tables.events.items()
            if not (each.instance == selection.instance and (each.lane in lanes or selection.user in {None, each.user}))
        }
        tables.deliveries = {key: each for key, each in tables.deliveries.items() if each.lane not in lanes}
        for lane in lanes:
            tables.drop_lane_if_empty(lane)

    def _matches(self, conversation: Conversation, query: ConversationFilter) -> bool:
        return (
            conversation.instance == query.instance
            and query.channel in {None, conversation.channel}
            and query.user in {None, conversation.user}
            and (query.since is None or conversation.updated_at >= query.since)
            and (query.until is None or conversation.updated_at < query.until)
            and query.unanswered in {None, conversation.unanswered > 0}
            and (query.text is None or self._contains(conversation, query.text))
        )

    def _contains(self, conversation: Conversation, text: str) -> bool:
        return conversation.id.startswith(text) or any(
            each.turn == text or text in each.tools for each in self._tables.messages[conversation.id]
        )


def _newest(messages: Sequence[Message], count: int) -> tuple[Message, ...]:
    return tuple(messages[max(0, len(messages) - count) :])


def _piece_of(messages: Sequence[Message], piece: HistoryPiece) -> tuple[Message, ...]:
    start = 0
    if piece.after is not None:
        ids = [each.id for each in messages]
        if piece.after not in ids:
            raise UnknownConversationError
        start = ids.index(piece.after) + 1
    found = messages[start : start + piece.limit]
    return tuple(found[: count_within([each.tokens for each in found], piece.tokens)])


def _is_selected(conversation: Conversation, selection: ConversationSelection) -> bool:
    return (
        conversation.instance == selection.instance
        and selection.conversation in {None, conversation.id}
        and selection.user in {None, conversation.user}
    )
