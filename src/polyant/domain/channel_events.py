"""Inbound events of chat platforms, and the requests that contain them."""

import enum
from collections.abc import Mapping
from typing import Self

import msgspec


class Peer(msgspec.Struct, frozen=True):
    """One conversation of an account: a chat, and a thread or topic in it."""

    chat: str
    thread: str | None = None

    @property
    def text(self) -> str:
        """The form that is stored; `parse` reads it."""
        return self.chat if self.thread is None else f"{self.chat}/{self.thread}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Returns the peer with that `text`."""
        chat, slash, thread = text.partition("/")
        return cls(chat, thread if slash else None)


class ChannelUser(msgspec.Struct, frozen=True, kw_only=True):
    """The author of an event."""

    id: str
    name: str = ""
    """The display name: untrusted text, which the user chooses."""
    language: str | None = None
    """The language of the user's client as a BCP 47 tag; None if unknown."""
    workspace: bool = False
    """Whether the platform says that the user is a member of the account's workspace."""


class MediaKind(enum.StrEnum):
    """The kind of media that a user sent."""

    IMAGE = "image"
    VOICE = "voice"
    AUDIO = "audio"
    DOCUMENT = "document"
    VIDEO = "video"
    STICKER = "sticker"
    OTHER = "other"


class MediaReference(msgspec.Struct, frozen=True, kw_only=True):
    """Media on the platform, which a Channel can fetch."""

    id: str
    kind: MediaKind
    file_name: str | None = None
    """Untrusted text."""
    media_type: str | None = None
    """The type that the platform states, such as `image/png`; it may be wrong."""
    size: int | None = None
    """In bytes, as the platform states it; it may be wrong."""


class Quote(msgspec.Struct, frozen=True, kw_only=True):
    """A message that the user replies to or quotes: untrusted text."""

    text: str
    author: str = ""
    """The author's display name; empty for the account itself or if unknown."""
    own: bool = False
    """Whether the account itself wrote it."""


class EventKind(enum.StrEnum):
    """The kind of an inbound event."""

    MESSAGE = "message"
    EDIT = "edit"
    """The message `edited` has a new text; it counts only while its turn hasn't begun."""
    MOVED = "moved"
    """The chat has a new id; `moved_to` is the new peer."""
    STATUS = "status"
    """The platform reports what became of a sent message; see `status`."""


class DeliveryStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The state of a sent message on the platform."""

    platform_id: str
    status: str
    """`sent`, `delivered`, `read` or `failed`."""
    code: str | None = None
    """The platform's code of the failure."""


class InboundEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One event of a connection, as a Channel understood it."""

    id: str
    """Identifies the event among those of the account; each delivery of it has the same id."""
    peer: Peer
    position: int = 0
    """The platform's order within the peer; 0 if it has none."""
    kind: EventKind = EventKind.MESSAGE
    user: ChannelUser
    private: bool = True
    """Whether the chat has no other participants."""
    addressed: bool = True
    """Whether the account is meant: a private chat, a mention, a reply to it, or a command."""
    message_id: str = ""
    """The platform's id of the message, for replies and progress."""
    text: str = ""
    """The user's own text, without the mention of the account and without the command."""
    command: str | None = None
    """The command without its slash, such as `new`, in lowercase."""
    quote: Quote | None = None
    media: tuple[MediaReference, ...] = ()
    group: str | None = None
    """Events of one album share it; they arrive within half a second."""
    edited: str | None = None
    """The `message_id` that an EDIT replaces."""
    moved_to: Peer | None = None
    status: DeliveryStatus | None = None


class WebhookRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request to a webhook, as it arrived."""

    method: str
    headers: Mapping[str, str]
    """By lowercase name."""
    query: Mapping[str, str] = {}
    body: bytes = b""


class WebhookReply(msgspec.Struct, frozen=True, kw_only=True):
    """The response to a webhook's request once its events are stored."""

    status: int = 200
    body: bytes = b""
    media_type: str = "text/plain"
    """Without a charset: texts are UTF-8."""


class InboundBatch(msgspec.Struct, frozen=True, kw_only=True):
    """The events of one request or one read, and the response to send after they are stored."""

    events: tuple[InboundEvent, ...] = ()
    ignored: int = 0
    """The number of events that need no answer, such as the account's own messages."""
    reply: WebhookReply = WebhookReply()


class WebhookRefusedError(Exception):
    """The request isn't the platform's, or can't be understood; nothing in it may be used.

    Args:
        forged: Whether the signature, secret or time stamp is wrong: the response is 401, otherwise 400.
        reason: The reason for operators, such as "the signature is wrong"; the response doesn't contain it, and it
            contains nothing of the request. None for a general one.
    """

    def __init__(self, *, forged: bool, reason: str | None = None) -> None:
        self.reason = reason or ("the signature or secret is wrong" if forged else "the body can't be understood")
        super().__init__(self.reason)
        self.forged = forged
