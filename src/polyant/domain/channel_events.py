"""The data between channels and platforms: inbound events, outbound chunks, and the outcomes of calls."""

import enum
import math
from collections.abc import Mapping
from typing import Self

import msgspec

from polyant.domain.errors import InvalidInputError, UnavailableError


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


class Chunk(msgspec.Struct, frozen=True, kw_only=True):
    """One message to send."""

    peer: Peer
    text: str
    """Markdown, at most `ChannelInfo.max_units` long; `domain.chunks.split_text` makes such pieces."""
    reply_to: str | None = None
    """The `message_id` that it answers."""
    replaces: str | None = None
    """The draft of `show_progress` that it takes the place of."""


class Sent(msgspec.Struct, frozen=True, tag="sent"):
    """The platform took the message."""

    platform_id: str


class NotSent(msgspec.Struct, frozen=True, tag="not_sent"):
    """The platform certainly doesn't have the message; it can be sent again after `retry_after` seconds."""

    retry_after: float


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """The platform refuses the message for good."""

    code: str
    """The platform's code, such as `403` or `131047`; it contains no text of users."""
    credentials: bool = False
    """Whether the platform refuses the account's credentials, whatever the message is."""


class Moved(msgspec.Struct, frozen=True, tag="moved"):
    """The message wasn't sent because the chat has a new id; send it to the new peer."""

    peer: Peer


class Ambiguous(msgspec.Struct, frozen=True, tag="ambiguous"):
    """It is unknown whether the platform took the message."""

    reason: str


SendOutcome = Sent | NotSent | Refused | Moved | Ambiguous


class FetchedMedia(msgspec.Struct, frozen=True, kw_only=True, tag="fetched"):
    """The content of media; repr hides it."""

    content: bytes
    media_type: str | None = None

    def __repr__(self) -> str:
        """Returns a representation with only the size."""
        return f"FetchedMedia({len(self.content)} bytes)"


class MediaDelayed(msgspec.Struct, frozen=True, tag="delayed"):
    """The media can't be fetched now; a later attempt may succeed."""

    retry_after: float = 1.0


class MediaUnavailable(msgspec.Struct, frozen=True, tag="unavailable"):
    """The media can never be fetched."""

    reason: str
    """`gone`, `too large`, `refused`, or `unsupported` for media that no model gets, such as a video."""


FetchOutcome = FetchedMedia | MediaDelayed | MediaUnavailable


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """The progress of an answer, shown to the user while the turn runs."""

    peer: Peer
    private: bool = True
    message_id: str = ""
    """The message that is being answered."""
    text: str = ""
    """The answer so far, as Markdown; empty to show only that the account is typing."""
    draft: str | None = None
    """The result of the previous call for the same answer."""


class AccountState(msgspec.Struct, frozen=True, kw_only=True):
    """The account as the platform describes it."""

    account: str
    """The platform's id of the account."""
    name: str = ""
    """How users find it."""
    options: Mapping[str, str] = {}
    """Facts to store with the connection."""
    problems: tuple[str, ...] = ()
    """The faults of the setup, each with its remedy, for operators."""


class SetUp(msgspec.Struct, frozen=True, tag="set_up"):
    """Let events arrive at the webhook's URL; None to let this server pull them."""

    webhook: str | None = None


class TearDown(msgspec.Struct, frozen=True, tag="tear_down"):
    """End the arrival of events."""


class Credential(msgspec.Struct, frozen=True, kw_only=True):
    """A credential that a channel needs."""

    name: str
    """Also the end of the secret's name: `telegram_token` for `token`."""
    label: str
    help: str = ""
    """Where an operator finds it."""
    required: bool = True
    generated: bool = False
    """Whether Polyant generates the value: at least 32 random characters of base64url."""
    needed_for: str | None = None
    """The only Delivery that needs it; None for both."""


class ChannelInfo(msgspec.Struct, frozen=True, kw_only=True):
    """The requirements and abilities of a channel adapter."""

    name: str
    label: str
    """The platform's own name, such as `Telegram`."""
    credentials: tuple[Credential, ...]
    options: tuple[Credential, ...] = ()
    """Facts that an operator has to enter and that aren't secret."""
    access: str
    """The default ChannelAccess."""
    accesses: tuple[str, ...]
    """The ChannelAccess values that make sense."""
    deliveries: tuple[str, ...]
    """The Delivery values that the platform supports."""
    max_units: int
    """The maximum length of a Chunk's text."""
    utf16: bool = False
    """Whether lengths are counted in UTF-16 units instead of characters."""
    command_prefix: str = "/"
    """The character before a command, such as `/new`, in messages to users."""
    typing_seconds: float = math.inf
    """How often to call `show_progress` without text, so that the user sees that a turn runs."""
    draft_seconds: float | None = None
    """The minimum time between two calls of `show_progress` with text; None if drafts aren't shown."""
    send_seconds: float = 20.0
    """The longest time that `send` takes."""


class ChannelRefusedError(InvalidInputError):
    """The platform refuses the credentials or the setup; the message says which and what to do."""


class ChannelUnreachableError(UnavailableError):
    """The platform doesn't respond, or not in a form that can be understood."""

    def __init__(self, label: str) -> None:
        super().__init__(f"{label} can't be reached", retry_after=5)


class PullConflictError(UnavailableError):
    """Another program pulls the events of the account."""

    def __init__(self) -> None:
        super().__init__("Another program polls this bot", hint="Stop it, or give it a bot of its own", retry_after=30)
