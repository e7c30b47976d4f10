"""The rows of conversations, lanes, events and deliveries in memory."""

from collections.abc import Callable, Iterable, Iterator
from itertools import count

import msgspec

from polyant.domain.conversations import (
    INDEX_DAY,
    Conversation,
    ConversationId,
    Deletion,
    LaneId,
    Message,
    MessageId,
    MessageRole,
    StoredConversation,
    StoredMessage,
    TurnId,
    WrappedKey,
)
from polyant.domain.errors import LeaseLostError, UnknownConversationError
from polyant.domain.lane_work import Delivery, DeliveryId, DeliveryState, EventId, EventState, StoredEvent
from polyant.domain.lanes import Lane, Lease, lane_of

OPEN_DELIVERIES = frozenset({DeliveryState.QUEUED, DeliveryState.SENDING})


class LaneRow:
    """A lane; times are seconds of the clock."""

    def __init__(self, lane: Lane, *, created_at: float) -> None:
        self.lane = lane
        self.created_at = created_at
        self.due_at: float | None = None
        self.not_before = 0.0
        self.burst_since = 0.0
        self.wake = 0
        self.epoch = 0
        self.owner: str | None = None
        self.conversation: ConversationId | None = None

    def lease(self) -> Lease:
        """Returns the current lease."""
        return Lease(
            lane=self.lane,
            owner=self.owner or "",
            epoch=self.epoch,
            wake=self.wake,
            conversation=self.conversation,
        )


class ConversationTables:
    """The tables behind the in-memory adapters of conversations and channels; no method awaits, so each is atomic."""

    def __init__(self) -> None:
        self.lanes: dict[LaneId, LaneRow] = {}
        self.conversations: dict[ConversationId, Conversation] = {}
        self.messages: dict[ConversationId, list[Message]] = {}
        self.events: dict[EventId, StoredEvent] = {}
        self.deliveries: dict[DeliveryId, Delivery] = {}
        self.ingest_keys: dict[str, WrappedKey] = {}
        self._numbers = count(1)

    def next_number(self) -> int:
        """Returns a number that is higher than all before."""
        return next(self._numbers)

    @property
    def is_empty(self) -> bool:
        """Whether there are no conversations, events and deliveries; keys don't count."""
        return not (self.conversations or self.events or self.deliveries)

    def archived(self) -> Iterator[WrappedKey | StoredConversation | StoredMessage]:
        """Yields the key of hashes, the conversations and their messages, for a backup."""
        if INDEX_DAY.isoformat() in self.ingest_keys:
            yield self.ingest_keys[INDEX_DAY.isoformat()]
        for found in self.conversations.values():
            row = self.lanes.get(found.lane)
            yield StoredConversation(conversation=found, is_current=row is not None and row.conversation == found.id)
        for conversation, messages in self.messages.items():
            yield from (StoredMessage(conversation=conversation, message=message) for message in messages)

    def restore(self, items: Iterable[object]) -> None:
        """Replaces everything with the items of a backup."""
        self.lanes, self.conversations, self.messages = {}, {}, {}
        self.events, self.deliveries, self.ingest_keys = {}, {}, {}
        for item in items:
            match item:
                case WrappedKey():
                    self.ingest_keys[item.id] = item
                case StoredConversation(conversation=conversation, is_current=is_current):
                    self.conversations[conversation.id] = conversation
                    self.messages[conversation.id] = []
                    if is_current:
                        row = self.lane(lane_of(conversation), conversation.created_at.timestamp())
                        row.conversation = conversation.id
                case StoredMessage():
                    self.messages[item.conversation].append(item.message)

    def lane(self, lane: Lane, now: float) -> LaneRow:
        """Returns the row of a lane, created if it is new, with this description."""
        row = self.lanes.setdefault(lane.id, LaneRow(lane, created_at=now))
        row.lane = lane
        return row

    def leased(self, lease: Lease) -> LaneRow:
        """Returns the row of a leased lane.

        Raises:
            LeaseLostError: The lease is lost.
        """
        row = self.lanes.get(lease.lane.id)
        if row is None or (row.owner, row.epoch) != (lease.owner, lease.epoch):
            raise LeaseLostError
        return row

    def event_of(self, channel: str, account: str, event_id: str) -> StoredEvent | None:
        """Returns the event with the platform's id."""
        identity = (channel, account, event_id)
        found = (each for each in self.events.values() if (each.channel, each.account, each.event_id) == identity)
        return next(found, None)

    def open_events(self, lane: LaneId) -> list[StoredEvent]:
        """Returns the open events of a lane in their order."""
        found = [each for each in self.events.values() if each.lane == lane and each.state is EventState.OPEN]
        return sorted(found, key=lambda event: (event.position, event.id))

    def open_deliveries(self, lane: LaneId) -> list[Delivery]:
        """Returns the open deliveries of a lane in their order."""
        return [each for each in self.deliveries.values() if each.lane == lane and each.state in OPEN_DELIVERIES]

    def is_stored(self, message: MessageId) -> bool:
        """Returns whether a conversation has that message."""
        return any(each.id == message for stored in self.messages.values() for each in stored)

    def append(
        self,
        conversation_id: ConversationId,
        messages: Iterable[Message],
        *,
        answers: TurnId | None = None,
        client_managed: bool = False,
    ) -> None:
        """Stores messages at the end of a conversation.

        Raises:
            UnknownConversationError: The conversation doesn't exist.
        """
        if conversation_id not in self.conversations:
            raise UnknownConversationError
        known = {each.id for stored in self.messages.values() for each in stored}
        given = [*messages]
        digests, ids = {each.digest for each in given if each.digest is not None}, {each.id for each in given}
        kept = [
            each
            for each in self.messages[conversation_id]
            if each.answered or each.digest not in digests or each.id in ids
        ]
        for message in given:
            if message.id not in known and not _is_second_answer(message, kept):
                kept.append(message)
                known.add(message.id)
        self.messages[conversation_id] = [
            msgspec.structs.replace(each, answered=each.answered or each.turn == answers) for each in kept
        ]
        self._refresh(conversation_id, client_managed=client_managed)

    def drop_messages(self, is_gone: Callable[[Conversation, Message], bool], limit: int) -> Deletion:
        """Deletes messages, at most `limit`, and conversations that lose their last one."""
        found = [
            (conversation, message)
            for conversation in self.conversations.values()
            for message in self.messages[conversation.id]
            if is_gone(conversation, message)
        ]
        gone = {message.id for _, message in found[:limit]}
        emptied: list[ConversationId] = []
        for conversation_id in {conversation.id for conversation, _ in found[:limit]}:
            kept = [message for message in self.messages[conversation_id] if message.id not in gone]
            self.messages[conversation_id] = kept
            if kept:
                self._refresh(conversation_id)
            else:
                self.drop_conversation(conversation_id)
                emptied.append(conversation_id)
        ids = tuple(MessageId(each) for each in gone)
        return Deletion(messages=ids, conversations=tuple(emptied), complete=len(found) <= limit)

    def drop_conversation(self, conversation_id: ConversationId) -> None:
        """Deletes a conversation, its deliveries, and its lane if that is free and empty."""
        lane = self.conversations[conversation_id].lane
        del self.conversations[conversation_id]
        del self.messages[conversation_id]
        self.deliveries = {key: each for key, each in self.deliveries.items() if each.conversation != conversation_id}
        row = self.lanes.get(lane)
        if row is not None and row.conversation == conversation_id:
            row.conversation = None
            self.drop_lane_if_empty(lane)

    def drop_lane_if_empty(self, lane: LaneId) -> None:
        """Deletes a lane that nobody holds and that has no conversation, event or delivery."""
        row = self.lanes.get(lane)
        used = {each.lane for each in self.events.values()} | {each.lane for each in self.deliveries.values()}
        if row is not None and row.owner is None and row.conversation is None and lane not in used:
            del self.lanes[lane]

    def _refresh(self, conversation_id: ConversationId, *, client_managed: bool = False) -> None:
        """Updates what a conversation says about its messages."""
        messages, known = self.messages[conversation_id], self.conversations[conversation_id]
        changed: Conversation = msgspec.structs.replace(
            known,
            messages=len(messages),
            unanswered=sum(not each.answered for each in messages),
            updated_at=max([known.updated_at, *(each.at for each in messages)]),
            client_managed=known.client_managed or client_managed,
        )
        self.conversations[conversation_id] = changed


def _is_second_answer(message: Message, stored: Iterable[Message]) -> bool:
    return message.role is MessageRole.ASSISTANT and any(
        each.role is MessageRole.ASSISTANT and each.turn == message.turn for each in stored
    )
