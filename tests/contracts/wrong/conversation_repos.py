"""Repositories of conversations that each read or start them wrongly."""

import asyncio
from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from polyant.adapters.memory.conversation_repo import MemoryConversationRepo
from polyant.adapters.memory.conversation_tables import LaneRow
from polyant.domain.conversations import (
    Conversation,
    ConversationFilter,
    ConversationId,
    CurrentConversation,
    History,
    HistoryPiece,
    LaneId,
    Message,
    StoredText,
    count_within,
)
from polyant.domain.lanes import lane_of
from polyant.testing.conversation_repo import ConversationRepoContract
from support.conversation_stores import WithRepo


class MemoryContract(WithRepo, ConversationRepoContract):
    """The tests of the kit, of a repository in memory."""


class ReadsUnanswered(MemoryConversationRepo):
    """Gives a model the messages of turns that failed."""

    async def current(self, lane: LaneId, *, newest: int, tokens: int | None = None) -> CurrentConversation | None:
        found = await super().current(lane, newest=newest, tokens=tokens)
        if found is None:
            return None
        stored = self._tables.messages[found.conversation.id]
        texts = tuple(StoredText(each.id, each.role, each.text, each.tokens) for each in stored)
        return replace(found, messages=texts[max(0, len(texts) - newest) :])


class TestUnansweredRead(MemoryContract):
    repo = ReadsUnanswered


class FiltersAfterLimit(MemoryConversationRepo):
    """Drops the unanswered ones of the newest messages, instead of reading further back."""

    async def current(self, lane: LaneId, *, newest: int, tokens: int | None = None) -> CurrentConversation | None:
        found = await super().current(lane, newest=10_000, tokens=tokens)
        if found is None:
            return None
        stored = self._tables.messages[found.conversation.id]
        ids = {each.id for each in stored[max(0, len(stored) - newest) :]}
        return replace(found, messages=tuple(each for each in found.messages if each.id in ids))


class TestFilteredAfterLimit(MemoryContract):
    repo = FiltersAfterLimit


class ReadsOldest(MemoryConversationRepo):
    """Takes `newest` from the wrong end."""

    async def current(self, lane: LaneId, *, newest: int, tokens: int | None = None) -> CurrentConversation | None:
        found = await super().current(lane, newest=10_000, tokens=tokens)
        return None if found is None else replace(found, messages=found.messages[:newest])


class TestOldestRead(MemoryContract):
    repo = ReadsOldest


class IgnoresTokens(MemoryConversationRepo):
    """Reads all texts."""

    async def current(self, lane: LaneId, *, newest: int, tokens: int | None = None) -> CurrentConversation | None:
        return await super().current(lane, newest=newest)


class TestTokensIgnored(MemoryContract):
    repo = IgnoresTokens


class DropsFullTexts(MemoryConversationRepo):
    """Leaves out the text of a message that has exactly that many tokens."""

    async def current(self, lane: LaneId, *, newest: int, tokens: int | None = None) -> CurrentConversation | None:
        return await super().current(lane, newest=newest, tokens=None if tokens is None else tokens - 1)


class TestFullTextsDropped(MemoryContract):
    repo = DropsFullTexts


class DropsMessages(MemoryConversationRepo):
    """Leaves out the messages whose texts it leaves out, so that the window can't be told any more."""

    async def current(self, lane: LaneId, *, newest: int, tokens: int | None = None) -> CurrentConversation | None:
        found = await super().current(lane, newest=newest, tokens=tokens)
        return None if found is None else replace(found, messages=tuple(each for each in found.messages if each.text))


class TestMessagesDropped(MemoryContract):
    repo = DropsMessages


class ZeroIsAll(MemoryConversationRepo):
    """Treats 0 like a missing limit."""

    async def show(self, conversation: ConversationId, *, newest: int | None = None, **options: Any) -> History:
        return await super().show(conversation, newest=newest or None, **options)


class TestZeroIsAll(MemoryContract):
    repo = ZeroIsAll


class ShowsPage(MemoryConversationRepo):
    """Shows at most a thousand messages."""

    async def show(self, conversation: ConversationId, *, newest: int | None = None, **options: Any) -> History:
        return await super().show(conversation, newest=1_000 if newest is None else newest, **options)


class TestPageShown(MemoryContract):
    repo = ShowsPage


class ShowsAllTokens(MemoryConversationRepo):
    """Shows messages however many tokens they have."""

    async def show(self, conversation: ConversationId, *, tokens: int | None = None, **options: Any) -> History:
        return await super().show(conversation, **options)


class TestTokensShownUnbounded(MemoryContract):
    repo = ShowsAllTokens


class ShowsOldestTokens(MemoryConversationRepo):
    """Drops the newest messages if there are too many tokens."""

    async def show(
        self, conversation: ConversationId, *, newest: int | None = None, tokens: int | None = None, **options: Any
    ) -> History:
        history = await super().show(conversation, newest=newest, **options)
        sizes = [each.tokens for each in history.messages]
        fitting = len(sizes) if tokens is None else count_within(sizes, tokens)
        return replace(history, messages=history.messages[:fitting])


class TestNewestTokensDropped(MemoryContract):
    repo = ShowsOldestTokens


class ReadsPieces(MemoryConversationRepo):
    """Returns other messages of a piece than it should."""

    async def show(self, conversation: ConversationId, *, piece: HistoryPiece | None = None, **options: Any) -> History:
        if piece is None:
            return await super().show(conversation, **options)
        return await self.piece_of(conversation, piece)

    async def piece_of(self, conversation: ConversationId, piece: HistoryPiece) -> History:
        return await super().show(conversation, piece=piece)


class ReadsWhatFits(ReadsPieces):
    """Ends before a message that has too many tokens."""

    async def piece_of(self, conversation: ConversationId, piece: HistoryPiece) -> History:
        found = await super().piece_of(conversation, piece)
        return replace(found, messages=()) if sum(each.tokens for each in found.messages) > piece.tokens else found


class TestLongMessageNotRead(MemoryContract):
    repo = ReadsWhatFits


class ReadsAllTokens(ReadsPieces):
    """Reads messages however many tokens they have."""

    async def piece_of(self, conversation: ConversationId, piece: HistoryPiece) -> History:
        return await super().piece_of(conversation, replace(piece, tokens=10**9))


class TestTokensReadUnbounded(MemoryContract):
    repo = ReadsAllTokens


class ReadsInPages(ReadsPieces):
    """Returns the message again after which it reads on."""

    async def piece_of(self, conversation: ConversationId, piece: HistoryPiece) -> History:
        found = await super().piece_of(conversation, piece)
        before = [each for each in self._tables.messages[conversation] if each.id == piece.after and found.messages]
        return replace(found, messages=(*before, *found.messages))


class TestMessageReadTwice(MemoryContract):
    repo = ReadsInPages


class ReadsAnswered(ReadsPieces):
    """Reads only messages that were answered."""

    async def piece_of(self, conversation: ConversationId, piece: HistoryPiece) -> History:
        found = await super().piece_of(conversation, piece)
        return replace(found, messages=tuple(each for each in found.messages if each.answered))


class TestUnansweredNotRead(MemoryContract):
    repo = ReadsAnswered


class ReadsFromStart(ReadsPieces):
    """Begins again after a message that it doesn't know."""

    async def piece_of(self, conversation: ConversationId, piece: HistoryPiece) -> History:
        known = any(each.id == piece.after for each in self._tables.messages.get(conversation, ()))
        return await super().piece_of(conversation, piece if known else replace(piece, after=None))


class TestUnknownMessageIsStart(MemoryContract):
    repo = ReadsFromStart


class SortsByTime(MemoryConversationRepo):
    """Orders the messages of one call by their times."""

    async def append(self, conversation: ConversationId, messages: Sequence[Message], **options: Any) -> None:
        await super().append(conversation, sorted(messages, key=lambda each: each.at), **options)


class TestCallSortedByTime(MemoryContract):
    repo = SortsByTime


class SortsById(MemoryConversationRepo):
    """Orders messages of equal times by their random ids."""

    async def show(self, conversation: ConversationId, *, newest: int | None = None, **options: Any) -> History:
        history = await super().show(conversation, **options)
        ordered = sorted(history.messages, key=lambda each: (each.at, each.id))
        return replace(history, messages=tuple(ordered[0 if newest is None else len(ordered) - newest :]))


class TestTiesSortedById(MemoryContract):
    repo = SortsById


class LatestUpdatedIsCurrent(MemoryConversationRepo):
    """Has no pointer to the current conversation of a lane: it takes the one that was updated last."""

    async def current(self, lane: LaneId, *, newest: int, tokens: int | None = None) -> CurrentConversation | None:
        own = [each for each in self._tables.conversations.values() if each.lane == lane]
        if own and lane in self._tables.lanes:
            latest = max(enumerate(own), key=lambda each: (each[1].updated_at, each[0]))
            self._tables.lanes[lane].conversation = latest[1].id
        return await super().current(lane, newest=newest, tokens=tokens)


class TestLatestUpdatedIsCurrent(MemoryContract):
    repo = LatestUpdatedIsCurrent


class AlwaysStarts(MemoryConversationRepo):
    """Ignores `replaces`."""

    async def start(self, conversation: Conversation, *, replaces: ConversationId | None = None) -> Conversation:
        row = self._tables.lanes.get(conversation.lane)
        return await super().start(conversation, replaces=None if row is None else row.conversation)


class TestReplacesIgnored(MemoryContract):
    repo = AlwaysStarts


class ReturnsDraft(MemoryConversationRepo):
    """Returns the given conversation although another one is current."""

    async def start(self, conversation: Conversation, *, replaces: ConversationId | None = None) -> Conversation:
        await super().start(conversation, replaces=replaces)
        return replace(conversation, messages=0, unanswered=0)


class TestDraftReturned(MemoryContract):
    repo = ReturnsDraft


class ChecksThenStarts(MemoryConversationRepo):
    """Reads the lane's conversation in one query, and stores another in the next."""

    async def start(self, conversation: Conversation, *, replaces: ConversationId | None = None) -> Conversation:
        row = self._tables.lanes.get(conversation.lane)
        current = None if row is None else row.conversation
        await asyncio.sleep(0)
        if current in {None, replaces} and row is not None:
            row.conversation = None
        return await super().start(conversation, replaces=replaces)


class TestReplacementNotAtomic(MemoryContract):
    repo = ChecksThenStarts


class DropsReplaced(MemoryConversationRepo):
    """Deletes the replaced conversation."""

    async def start(self, conversation: Conversation, *, replaces: ConversationId | None = None) -> Conversation:
        started = await super().start(conversation, replaces=replaces)
        if started.id == conversation.id and replaces in self._tables.conversations:
            self._tables.drop_conversation(ConversationId(replaces or ""))
        return started


class TestReplacedDeleted(MemoryContract):
    repo = DropsReplaced


class ReplacesExactly(MemoryConversationRepo):
    """Stores a conversation only if the one that it replaces is still there."""

    async def start(self, conversation: Conversation, *, replaces: ConversationId | None = None) -> Conversation:
        if replaces is None or replaces in self._tables.conversations:
            return await super().start(conversation, replaces=replaces)
        return conversation


class TestDeletedNotReplaced(MemoryContract):
    repo = ReplacesExactly


class OverwritesLane(MemoryConversationRepo):
    """Describes a known lane by its conversation, which knows no account."""

    async def start(self, conversation: Conversation, *, replaces: ConversationId | None = None) -> Conversation:
        self._tables.lane(lane_of(conversation), self._clock.now().timestamp())
        return await super().start(conversation, replaces=replaces)


class TestLaneDescribedAgain(MemoryContract):
    repo = OverwritesLane


class ReplacesLane(MemoryConversationRepo):
    """Stores the lane with INSERT OR REPLACE."""

    async def start(self, conversation: Conversation, *, replaces: ConversationId | None = None) -> Conversation:
        row = self._tables.lanes.get(conversation.lane)
        if row is not None:
            fresh = LaneRow(row.lane, created_at=row.created_at)
            fresh.conversation, fresh.due_at = row.conversation, row.due_at
            self._tables.lanes[conversation.lane] = fresh
        return await super().start(conversation, replaces=replaces)


class TestLeaseOverwritten(MemoryContract):
    repo = ReplacesLane


class KeepsGivenCounts(MemoryConversationRepo):
    """Stores the counts of the given conversation."""

    async def start(self, conversation: Conversation, *, replaces: ConversationId | None = None) -> Conversation:
        started = await super().start(conversation, replaces=replaces)
        if started.id == conversation.id:
            self._tables.conversations[started.id] = conversation
        return self._tables.conversations[started.id]


class TestGivenCountsKept(MemoryContract):
    repo = KeepsGivenCounts


class FoldsIds(MemoryConversationRepo):
    """Compares the ids of lanes without regard to case, like a database with such a collation."""

    async def start(self, conversation: Conversation, *, replaces: ConversationId | None = None) -> Conversation:
        return await super().start(replace(conversation, lane=self._known(conversation.lane)), replaces=replaces)

    async def current(self, lane: LaneId, *, newest: int, tokens: int | None = None) -> CurrentConversation | None:
        return await super().current(self._known(lane), newest=newest, tokens=tokens)

    def _known(self, lane: LaneId) -> LaneId:
        return next((each for each in self._tables.lanes if each.casefold() == lane.casefold()), lane)


class TestIdsFolded(MemoryContract):
    repo = FoldsIds


class TruncatesUsers(MemoryConversationRepo):
    """Compares the first 32 characters of users."""

    def _matches(self, conversation: Conversation, query: ConversationFilter) -> bool:
        if query.user is None or conversation.user is None:
            return super()._matches(conversation, query)
        return query.user[:32] == conversation.user[:32] and super()._matches(conversation, replace(query, user=None))


class TestUsersTruncated(MemoryContract):
    repo = TruncatesUsers
