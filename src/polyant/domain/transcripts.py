"""Transcripts of conversations, and the rule for changing their readers."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import msgspec

from polyant.domain.chat import AssistantMessage, UserMessage
from polyant.domain.conversations import (
    Conversation,
    ConversationId,
    ConversationPage,
    History,
    HistoryPiece,
    Message,
    MessageId,
)
from polyant.domain.errors import InvalidInputError, SecretUnreadableError
from polyant.domain.instances import Instance, TranscriptReaders
from polyant.domain.media.parts import MediaKind, StoredPart
from polyant.domain.open_conversation import ConversationKeys, OpenConversation
from polyant.domain.ports.conversation_repo import ConversationRepo

_PIECE_MESSAGES = 200
_PIECE_TOKENS = 250_000
"""About 1 MB of text."""


class TranscriptMedia(msgspec.Struct, frozen=True, kw_only=True):
    """An image, a recording or a document of a message."""

    address: str
    """The MediaAddress, with which `ReadMedia` returns the content."""
    kind: MediaKind
    media_type: str
    size: int
    """In bytes."""
    name: str


class TranscriptMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message as it is shown."""

    id: str
    role: str
    text: str | None
    """None if the reader may not read it, or if it can't be decrypted."""
    at: datetime
    turn: str
    tokens: int
    answered: bool
    tools: tuple[str, ...]
    media: tuple[TranscriptMedia, ...] = ()
    """Empty if the reader may not read the text."""


class ConversationSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation as it is listed."""

    id: str
    channel: str
    user: str | None
    """The user's id or name; None without one, or if it can't be decrypted."""
    client_managed: bool
    created_at: datetime
    updated_at: datetime
    messages: int
    unanswered: int


class SummaryPage(msgspec.Struct, frozen=True):
    """A page of conversations, and the number of all that match."""

    conversations: tuple[ConversationSummary, ...]
    total: int


class Transcript(ConversationSummary, frozen=True, kw_only=True):
    """A conversation with its messages."""

    readable: bool
    """Whether the reader may read the texts."""
    transcript: tuple[TranscriptMessage, ...]


def may_read(instance: Instance, *, unrestricted: bool) -> bool:
    """Returns whether a user may read the texts of an instance's conversations.

    Args:
        instance: The instance.
        unrestricted: Whether the user is a superadmin or the command line.
    """
    return unrestricted or instance.transcripts is TranscriptReaders.USERS


def check_transcripts(changed: Instance, before: Instance | None, *, unrestricted: bool) -> None:
    """Returns if the author of a change may let the given users read transcripts.

    Args:
        changed: The instance after the change.
        before: The instance before the change; None for a new one.
        unrestricted: Whether the author is a superadmin or the command line.

    Raises:
        InvalidInputError: A user would gain access to texts that only superadmins may read.
    """
    kept = before is not None and before.transcripts is TranscriptReaders.USERS
    if changed.transcripts is TranscriptReaders.USERS and not (unrestricted or kept):
        raise InvalidInputError("Only a superadmin can set transcripts to users")


async def summaries_of(page: ConversationPage, keys: ConversationKeys) -> SummaryPage:
    """Returns the conversations of a page with the ids of their users."""
    return SummaryPage(tuple([await _summary_of(each, keys) for each in page.conversations]), page.total)


class WholeTranscript:
    """A conversation whose messages are read in pieces, so that a long one doesn't fill the memory.

    Args:
        opened: The conversation, or None if its key can't be unwrapped.
        repo: Reads the messages.
        conversation: The conversation's metadata.
        first: The first piece.
        readable: Whether the reader may read the texts.
    """

    def __init__(
        self,
        *,
        opened: OpenConversation | None,
        repo: ConversationRepo,
        conversation: Conversation,
        first: tuple[Message, ...],
        readable: bool,
    ) -> None:
        self.summary = ConversationSummary(**_fields_of(conversation, opened))
        self.readable = readable
        self._opened = opened if readable else None
        self._repo = repo
        self._id = conversation.id
        self._first = first

    async def pieces(self) -> AsyncIterator[tuple[TranscriptMessage, ...]]:
        """Yields the messages in pieces, oldest first.

        Raises:
            UnknownConversationError: The conversation was deleted meanwhile.
            StorageUnavailableError: The store is unavailable.
        """
        piece = self._first
        while piece:
            yield tuple([_shown(message, self._opened) for message in piece])
            piece = await _piece(self._repo, self._id, after=piece[-1].id)


async def whole_transcript_of(
    conversation: Conversation, keys: ConversationKeys, repo: ConversationRepo, *, readable: bool
) -> WholeTranscript:
    """Returns a conversation of which the first messages are read.

    Raises:
        UnknownConversationError: The conversation was deleted meanwhile.
        StorageUnavailableError: The store is unavailable.
    """
    first = await _piece(repo, conversation.id)
    opened = await _opened(conversation, keys)
    return WholeTranscript(opened=opened, repo=repo, conversation=conversation, first=first, readable=readable)


async def _piece(
    repo: ConversationRepo, conversation: ConversationId, *, after: MessageId | None = None
) -> tuple[Message, ...]:
    piece = HistoryPiece(after=after, limit=_PIECE_MESSAGES, tokens=_PIECE_TOKENS)
    return (await repo.show(conversation, piece=piece)).messages


async def transcript_of(history: History, keys: ConversationKeys, *, readable: bool) -> Transcript:
    """Returns a conversation with its messages, and with their texts if they may be read."""
    opened = await _opened(history.conversation, keys)
    shown = [_shown(message, opened if readable else None) for message in history.messages]
    return Transcript(
        **_fields_of(history.conversation, opened),
        readable=readable,
        transcript=tuple(shown),
    )


async def _summary_of(conversation: Conversation, keys: ConversationKeys) -> ConversationSummary:
    opened = None if conversation.label is None else await _opened(conversation, keys)
    return ConversationSummary(**_fields_of(conversation, opened))


async def _opened(conversation: Conversation, keys: ConversationKeys) -> OpenConversation | None:
    try:
        return await keys.open(conversation)
    except SecretUnreadableError:
        return None


def _fields_of(conversation: Conversation, opened: OpenConversation | None) -> dict[str, Any]:
    names = (name for name in ConversationSummary.__struct_fields__ if name != "user")
    try:
        user = None if opened is None else opened.label
    except SecretUnreadableError:
        user = None
    return {"user": user, **{name: getattr(conversation, name) for name in names}}


def _shown(message: Message, opened: OpenConversation | None) -> TranscriptMessage:
    content = _content_of(message, opened)
    derived: dict[str, Any] = {"text": None if content is None else _text_of(content), "media": _media_of(content)}
    names = (name for name in TranscriptMessage.__struct_fields__ if name not in derived)
    return TranscriptMessage(**derived, **{name: getattr(message, name) for name in names})


def _content_of(message: Message, opened: OpenConversation | None) -> UserMessage | AssistantMessage | None:
    try:
        return None if opened is None else opened.content_of(message)
    except SecretUnreadableError:
        return None


def _text_of(content: UserMessage | AssistantMessage) -> str:
    return content.content if isinstance(content, AssistantMessage) else content.text


def _media_of(content: UserMessage | AssistantMessage | None) -> tuple[TranscriptMedia, ...]:
    if not isinstance(content, UserMessage):
        return ()
    fields = TranscriptMedia.__struct_fields__
    stored = [part for part in content.parts if isinstance(part, StoredPart)]
    return tuple(TranscriptMedia(**{name: getattr(part, name) for name in fields}) for part in stored)
