"""Repositories of conversations that each append messages wrongly."""

import asyncio
from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from polyant.adapters.memory.conversation_repo import MemoryConversationRepo
from polyant.adapters.memory.conversation_tables import LaneRow
from polyant.adapters.memory.store import MemoryStore
from polyant.domain.conversations import Conversation, ConversationId, Message, MessageRole
from polyant.domain.errors import LeaseLostError
from polyant.domain.lanes import Lease
from polyant.domain.ports.clock import Clock
from polyant.testing.conversation_appending import ConversationAppendingContract
from polyant.testing.conversation_fencing import ConversationFencingContract
from support.conversation_stores import WithRepo


class MemoryContract(WithRepo, ConversationAppendingContract, ConversationFencingContract):
    """The tests of appended messages, of a repository in memory."""


class WrongAppends(MemoryConversationRepo):
    """Appends correctly, until a subclass overrides one of the steps."""

    async def append(self, conversation: ConversationId, messages: Sequence[Message], **options: Any) -> None:
        given, lease = self.given(conversation, messages), options.get("lease")
        row = None if lease is None else self._tables.lanes.get(lease.lane.id)
        await self.before(conversation, given, row)
        if lease is not None:
            options["lease"] = self.lease(lease, row)
        await super().append(conversation, given, **options)
        await self.after(conversation, given, client_managed=options.get("client_managed", False))

    def given(self, conversation: ConversationId, messages: Sequence[Message]) -> Sequence[Message]:
        """Returns the messages to store."""
        return messages

    async def before(self, conversation: ConversationId, messages: Sequence[Message], row: LaneRow | None) -> None:
        """Does what the store does before."""

    def lease(self, lease: Lease, row: LaneRow | None) -> Lease | None:
        """Returns the lease to check; the row is that of its lane, if there is one."""
        return lease

    async def after(self, conversation: ConversationId, messages: Sequence[Message], *, client_managed: bool) -> None:
        """Does what the store does afterwards."""

    def _set(self, conversation: ConversationId, **fields: object) -> None:
        known = self._tables.conversations[conversation]
        self._tables.conversations[conversation] = replace(known, **fields)


class ForgetsAnswers(WrongAppends):
    """Loses `answers`."""

    async def append(self, conversation: ConversationId, messages: Sequence[Message], **options: Any) -> None:
        await super().append(conversation, messages, **{**options, "answers": None})


class TestAnswersForgotten(MemoryContract):
    repo = ForgetsAnswers


class AnswersStoredOnly(WrongAppends):
    """Marks the stored messages, before it adds those of the call."""

    async def after(self, conversation: ConversationId, messages: Sequence[Message], *, client_managed: bool) -> None:
        given = {each.id: each.answered for each in messages}
        stored = self._tables.messages[conversation]
        self._tables.messages[conversation] = [
            replace(each, answered=given.get(each.id, each.answered)) for each in stored
        ]


class TestGivenMessagesNotAnswered(MemoryContract):
    repo = AnswersStoredOnly


class AnswersEverything(WrongAppends):
    """Marks the messages of all turns."""

    async def after(self, conversation: ConversationId, messages: Sequence[Message], *, client_managed: bool) -> None:
        if any(each.role is MessageRole.ASSISTANT for each in messages):
            stored = self._tables.messages[conversation]
            self._tables.messages[conversation] = [replace(each, answered=True) for each in stored]
            self._set(conversation, unanswered=0)


class TestOtherTurnsAnswered(MemoryContract):
    repo = AnswersEverything


class NothingToDo(WrongAppends):
    """Returns early from a call without messages."""

    async def append(self, conversation: ConversationId, messages: Sequence[Message], **options: Any) -> None:
        if messages:
            await super().append(conversation, messages, **options)


class TestCallWithoutMessagesSkipped(MemoryContract):
    repo = NothingToDo


class StoresOneByOne(WrongAppends):
    """Stores each message in a transaction of its own."""

    async def append(self, conversation: ConversationId, messages: Sequence[Message], **options: Any) -> None:
        for message in messages[:-1]:
            await super().append(conversation, [message], **{**options, "answers": None, "release": False})
            await asyncio.sleep(0)
        await super().append(conversation, messages[-1:], **options)


class TestNotAtomic(MemoryContract):
    repo = StoresOneByOne


class CountsAfterwards(WrongAppends):
    """Counts the messages in a transaction of its own."""

    async def before(self, conversation: ConversationId, messages: Sequence[Message], row: LaneRow | None) -> None:
        self._before = self._tables.conversations.get(conversation)

    async def after(self, conversation: ConversationId, messages: Sequence[Message], *, client_managed: bool) -> None:
        counted = self._tables.conversations[conversation]
        if self._before is not None:
            self._tables.conversations[conversation] = replace(counted, messages=self._before.messages)
        await asyncio.sleep(0)
        self._tables.conversations[conversation] = counted


class TestCountedAfterwards(MemoryContract):
    repo = CountsAfterwards


class ChecksThenInserts(WrongAppends):
    """Looks for the message in one query, and inserts it in the next."""

    async def append(self, conversation: ConversationId, messages: Sequence[Message], **options: Any) -> None:
        known = {each.id for each in self._tables.messages.get(conversation, ())}
        answered = {each.turn for each in self._tables.messages.get(conversation, ()) if _is_answer(each)}
        await asyncio.sleep(0)
        inserted = [
            each for each in messages if each.id not in known and not (_is_answer(each) and each.turn in answered)
        ]
        stored = self._tables.messages.get(conversation, [])
        hidden = [each for each in stored if each.id in {new.id for new in inserted} or _is_answer(each)]
        self._tables.messages[conversation] = [each for each in stored if each not in hidden]
        await super().append(conversation, inserted, **options)
        self._tables.messages[conversation] += hidden


class TestInsertNotAtomic(MemoryContract):
    repo = ChecksThenInserts


class OneAnswerEach(WrongAppends):
    """Stores one message of the assistant in each conversation."""

    def given(self, conversation: ConversationId, messages: Sequence[Message]) -> Sequence[Message]:
        is_answered = any(_is_answer(each) for each in self._tables.messages.get(conversation, ()))
        return [each for each in messages if not (is_answered and _is_answer(each))]


class TestOneAnswerEach(MemoryContract):
    repo = OneAnswerEach


class ChecksStoredAnswers(WrongAppends):
    """Compares answers with the stored ones, and not with those of the same call."""

    async def after(self, conversation: ConversationId, messages: Sequence[Message], *, client_managed: bool) -> None:
        stored = self._tables.messages[conversation]
        answers = {each.turn: each.id for each in messages if _is_answer(each)}
        first = {each.turn for each in stored if each.id in {given.id for given in messages} and _is_answer(each)}
        second = [each for each in messages if each.turn in first and answers.get(each.turn) == each.id]
        known = {each.id for each in stored}
        self._tables.messages[conversation] = [*stored, *(each for each in second if each.id not in known)]


class TestSecondAnswerOfCallStored(MemoryContract):
    repo = ChecksStoredAnswers


class RepeatsEverywhere(WrongAppends):
    """Deletes repeated messages in all conversations."""

    async def before(self, conversation: ConversationId, messages: Sequence[Message], row: LaneRow | None) -> None:
        for other, stored in self._tables.messages.items():
            if other != conversation:
                stored[:] = [each for each in stored if each.answered or not _is_repeated(each, messages)]


class TestOtherConversationsRepeated(MemoryContract):
    repo = RepeatsEverywhere


class DeletesAnsweredRepeats(WrongAppends):
    """Deletes repeated messages that are answered, too."""

    async def before(self, conversation: ConversationId, messages: Sequence[Message], row: LaneRow | None) -> None:
        stored = self._tables.messages.get(conversation, [])
        stored[:] = [each for each in stored if not _is_repeated(each, messages)]


class TestAnsweredRepeatsDeleted(MemoryContract):
    repo = DeletesAnsweredRepeats


class RepeatsDeletedFirst(WrongAppends):
    """Deletes repeated messages before it checks the lease."""

    async def before(self, conversation: ConversationId, messages: Sequence[Message], row: LaneRow | None) -> None:
        stored = self._tables.messages.get(conversation, [])
        stored[:] = [each for each in stored if each.answered or not _is_repeated(each, messages)]


class TestRepeatsDeletedFirst(MemoryContract):
    repo = RepeatsDeletedFirst


class ResetsClientManaged(WrongAppends):
    """Stores the flag of the last call."""

    async def after(self, conversation: ConversationId, messages: Sequence[Message], *, client_managed: bool) -> None:
        self._set(conversation, client_managed=client_managed)


class TestClientManagedReset(MemoryContract):
    repo = ResetsClientManaged


class LastMessageUpdates(WrongAppends):
    """Treats the time of the last message of a call as the latest."""

    def given(self, conversation: ConversationId, messages: Sequence[Message]) -> Sequence[Message]:
        self._known = self._tables.conversations.get(conversation)
        return messages

    async def after(self, conversation: ConversationId, messages: Sequence[Message], *, client_managed: bool) -> None:
        if self._known is not None and messages:
            self._set(conversation, updated_at=max(self._known.updated_at, messages[-1].at))


class TestLastMessageUpdates(MemoryContract):
    repo = LastMessageUpdates


class IgnoresLease(WrongAppends):
    """Doesn't check the lease."""

    def lease(self, lease: Lease, row: LaneRow | None) -> Lease | None:
        return None if row is None else replace(lease, epoch=row.epoch, owner=row.owner or "")


class TestLeaseIgnored(MemoryContract):
    repo = IgnoresLease


class FencesByOwner(WrongAppends):
    """Compares the owner of the lease, and not its number."""

    def lease(self, lease: Lease, row: LaneRow | None) -> Lease | None:
        return lease if row is None else replace(lease, epoch=row.epoch)


class TestFencedByOwner(MemoryContract):
    repo = FencesByOwner


class FencesByNumber(WrongAppends):
    """Compares the number of the lease, which begins again with a new lane, and not its owner."""

    def lease(self, lease: Lease, row: LaneRow | None) -> Lease | None:
        return lease if row is None or row.owner is None else replace(lease, owner=row.owner)


class TestFencedByNumber(MemoryContract):
    repo = FencesByNumber


class ExpiresLeases(WrongAppends):
    """Refuses a lease that has expired, although nobody took it."""

    async def before(self, conversation: ConversationId, messages: Sequence[Message], row: LaneRow | None) -> None:
        if row is not None and row.due_at is not None and row.due_at < self._clock.now().timestamp():
            raise LeaseLostError


class TestExpiredLeaseRefused(MemoryContract):
    repo = ExpiresLeases


class KeepsLease(WrongAppends):
    """Ignores `release`."""

    async def append(self, conversation: ConversationId, messages: Sequence[Message], **options: Any) -> None:
        await super().append(conversation, messages, **{**options, "release": False})


class TestLeaseKept(MemoryContract):
    repo = KeepsLease


class ForgetsWakeUps(WrongAppends):
    """Ends the lease as if the lane had received nothing."""

    def lease(self, lease: Lease, row: LaneRow | None) -> Lease | None:
        return lease if row is None else replace(lease, wake=row.wake)


class TestWakeUpForgotten(MemoryContract):
    repo = ForgetsWakeUps


class OneStoredIsEnough(WrongAppends):
    """Takes a call for a repetition if one of its messages is stored."""

    def _are_stored(self, conversation: ConversationId, messages: Sequence[Message]) -> bool:
        stored = {message.id for message in self._tables.messages.get(conversation, ())}
        return not stored.isdisjoint(message.id for message in messages)


class TestOneStoredIsEnough(MemoryContract):
    repo = OneStoredIsEnough


class AnyRepetitionPasses(WrongAppends):
    """Accepts a lost lease without `release`, too, if the messages are stored."""

    async def append(self, conversation: ConversationId, messages: Sequence[Message], **options: Any) -> None:
        try:
            await super().append(conversation, messages, **options)
        except LeaseLostError:
            if not self._are_stored(conversation, messages):
                raise


class TestAnyRepetitionPasses(MemoryContract):
    repo = AnyRepetitionPasses


class RemembersConversations(WrongAppends):
    """Takes messages for a conversation that it once knew, and loses them."""

    def __init__(self, *, store: MemoryStore, clock: Clock) -> None:
        super().__init__(store=store, clock=clock)
        self._started: set[ConversationId] = set()

    async def start(self, conversation: Conversation, *, replaces: ConversationId | None = None) -> Conversation:
        self._started.add(conversation.id)
        return await super().start(conversation, replaces=replaces)

    async def append(self, conversation: ConversationId, messages: Sequence[Message], **options: Any) -> None:
        if conversation not in self._started or conversation in self._tables.conversations:
            await super().append(conversation, messages, **options)


class TestDeletedTakesMessages(MemoryContract):
    repo = RemembersConversations


def _is_answer(message: Message) -> bool:
    return message.role is MessageRole.ASSISTANT


def _is_repeated(stored: Message, messages: Sequence[Message]) -> bool:
    """Returns whether one of the messages has the digest of the stored one, which isn't among them."""
    return stored.digest in {each.digest for each in messages} - {None} and all(
        each.id != stored.id for each in messages
    )
