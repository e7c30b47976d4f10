"""Outbound chunks, the progress of answers, fetched media, and the outcomes of calls."""

import msgspec

from polyant.domain.channel_events import Peer


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
