"""Conversations and their messages; texts, labels and data keys are ciphertext, which stores don't interpret."""

import enum
import re
from collections.abc import Iterable
from datetime import date, datetime
from typing import NewType

import msgspec

from polyant.domain.errors import UnknownConversationError
from polyant.domain.instances import InstanceId

ConversationId = NewType("ConversationId", str)
"""A conversation's permanent id, at most 64 characters; random, so that it reveals nothing."""

MessageId = NewType("MessageId", str)
"""A message's permanent id, at most 64 characters; the caller generates it, because the ciphertext is bound to it."""

TurnId = NewType("TurnId", str)
"""A turn's id, at most 64 characters, unique in the store: never one that a client chose."""

LaneId = NewType("LaneId", str)
"""A lane's id, at most 64 characters: a keyed hash of the peer's address, which the caller computes."""

API_CHANNEL = "api"
"""The channel of conversations that are held through /v1."""


_CONVERSATION_ID = re.compile(r"\A[A-Za-z0-9_-]{1,64}\Z")


class HistoryPiece(msgspec.Struct, frozen=True, kw_only=True):
    """The messages after one of them: at most `limit`, with at most `tokens` together, but the first in any case."""

    after: "MessageId | None" = None
    """The message before the piece; None for the first piece."""
    limit: int
    tokens: int


def count_within(sizes: Iterable[int], tokens: int) -> int:
    """Returns how many of the first messages have at most that many tokens together; the first counts in any case.

    Args:
        sizes: The tokens of each message.
        tokens: The most that they may have together.
    """
    fitting, used = 0, 0
    for size in sizes:
        used += size
        if fitting and used > tokens:
            break
        fitting += 1
    return fitting


def parse_conversation_id(text: str) -> ConversationId:
    """Returns the text as the id of a conversation.

    Raises:
        UnknownConversationError: No conversation can have it.
    """
    if not _CONVERSATION_ID.match(text):
        raise UnknownConversationError
    return ConversationId(text)


class MessageRole(enum.StrEnum):
    """The author of a message."""

    USER = "user"
    ASSISTANT = "assistant"


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One message of a conversation."""

    id: MessageId
    role: MessageRole
    text: str
    """The ciphertext of the message's parts."""
    at: datetime
    turn: TurnId
    """The turn that answers the message, or that produced it."""
    tokens: int = 0
    """The estimated or reported number of tokens."""
    answered: bool = True
    """False for a message of a user whose turn hasn't finished, or has failed; such a message never goes to a model."""
    digest: str | None = None
    """A keyed hash of the content, by which a repeated message is recognised."""
    platform_id: str | None = None
    """The id of the message on the channel's platform."""
    sender: str | None = None
    """A keyed hash of the channel user who wrote the message, or whom the answer addresses."""
    tools: tuple[str, ...] = ()
    """The names of the tools that the turn called."""
    finish_reason: str | None = None


class Conversation(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation without its messages."""

    id: ConversationId
    instance: InstanceId
    lane: LaneId
    """The scope of the conversation: a lane has at most one current conversation."""
    channel: str
    """`api`, or the name of a channel adapter."""
    data_key: str
    """The wrapped key that encrypts the texts; without it, the conversation is unreadable."""
    wrapped_by: str
    """The id of the master key that wraps the data key."""
    user: str | None = None
    """A keyed hash of the user's id, for filters and deletion."""
    label: str | None = None
    """The ciphertext of the user's id or name, for display."""
    client_managed: bool = False
    """Whether the client sends the history itself, so that none is prepended to its requests."""
    created_at: datetime
    updated_at: datetime
    """The time of the newest message, or of the creation."""
    messages: int = 0
    """The number of stored messages."""
    unanswered: int = 0
    """The number of stored messages that no turn has answered."""


class History(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation and some of its messages, oldest first."""

    conversation: Conversation
    messages: tuple[Message, ...] = ()


class StoredText(msgspec.Struct, frozen=True, gc=False):
    """The text of a stored message, with what a turn needs to read it."""

    id: MessageId
    role: MessageRole
    text: str
    """The ciphertext of the message's parts; empty if the store left it out."""
    tokens: int = 0
    """The estimated or reported number of tokens."""


class CurrentConversation(msgspec.Struct, frozen=True, kw_only=True):
    """The current conversation of a lane, and the texts of its newest answered messages, oldest first."""

    conversation: Conversation
    messages: tuple[StoredText, ...] = ()


class ConversationFilter(msgspec.Struct, frozen=True, kw_only=True):
    """The conversations to list; each condition that is set must hold."""

    instance: InstanceId
    channel: str | None = None
    user: str | None = None
    """The keyed hash of the user's id."""
    since: datetime | None = None
    """The earliest time of the newest message."""
    until: datetime | None = None
    """The time before which the newest message lies."""
    unanswered: bool | None = None
    """Whether the conversation has unanswered messages."""
    text: str | None = None
    """The beginning of the conversation's id, the id of one of its turns, or the name of a tool that a turn called."""


class ConversationPage(msgspec.Struct, frozen=True):
    """A page of conversations, the latest updated first, and the number of all that match."""

    conversations: tuple[Conversation, ...]
    total: int


class ConversationSelection(msgspec.Struct, frozen=True, kw_only=True):
    """The conversations of an instance to delete: one, those of a user, or without further condition all."""

    instance: InstanceId
    conversation: ConversationId | None = None
    user: str | None = None
    """The keyed hash of the user's id."""


class Deletion(msgspec.Struct, frozen=True, kw_only=True):
    """The messages and conversations that one batch of a deletion removed."""

    messages: tuple[MessageId, ...] = ()
    conversations: tuple[ConversationId, ...] = ()
    complete: bool = True
    """False if more is left to delete."""


class StoredConversation(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation in a backup."""

    conversation: Conversation
    is_current: bool
    """Whether it is the current conversation of its lane."""


class StoredMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message in a backup."""

    conversation: ConversationId
    message: Message


class KeyKind(enum.StrEnum):
    """The data that a data key encrypts."""

    CONVERSATION = "conversation"
    INGEST = "ingest"
    """The payloads of the events that were received on one day."""


class WrappedKey(msgspec.Struct, frozen=True, kw_only=True):
    """A data key, wrapped by a master key."""

    kind: KeyKind
    id: str
    """The id of the conversation, or the day as YYYY-MM-DD."""
    key: str
    """The ciphertext of the key."""
    wrapped_by: str
    """The id of the master key that wraps it."""


INDEX_DAY = date.max
"""The day of the data key that hashes lanes and users: it never expires, unlike the ingest keys beside it."""


class KeyReplacement(msgspec.Struct, frozen=True):
    """A data key as it was read, and the same data key wrapped by another master key."""

    old: WrappedKey
    new: WrappedKey
