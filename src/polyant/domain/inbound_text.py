"""The text of an inbound event for a model, in which everything that others may have written is marked as data."""

import re
from collections.abc import Iterator

from polyant.domain.channel_events import InboundEvent, MediaKind, MediaReference, Quote

MAX_QUOTE_CHARACTERS = 4_000
MAX_NAME_CHARACTERS = 64

_CONTROL = re.compile(r"[\x00-\x1f\x7f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_NOUNS = {
    MediaKind.IMAGE: "image",
    MediaKind.VOICE: "voice message",
    MediaKind.AUDIO: "audio file",
    MediaKind.DOCUMENT: "document",
    MediaKind.VIDEO: "video",
    MediaKind.STICKER: "sticker",
    MediaKind.OTHER: "attachment",
}


def user_text(event: InboundEvent, *, transcripts: tuple[str, ...] = ()) -> str:
    """Returns the event as a user's message.

    In a group, the author's display name precedes it. Names, quotes, file names and transcripts are elements such as
    `<quote>…</quote>`, in which `<` is escaped, so that they can't end their element.

    Args:
        event: A message or an edited one.
        transcripts: The texts of the event's voice messages.
    """
    lines = [*_context(event)]
    lines += [f"<transcript>{_escaped(text)}</transcript>" for text in transcripts]
    if event.text:
        lines.append(event.text)
    return "\n".join(lines)


def missing_media(media: MediaReference, reason: str) -> str:
    """Returns the note that stands for media that can't be shown to the model, such as a video."""
    return f"[{_NOUNS[media.kind]}{_name_of(media)} unavailable: {reason}]"


def _context(event: InboundEvent) -> Iterator[str]:
    if not event.private and event.user.name:
        yield f"<from>{data_line(event.user.name)}</from>"
    if event.quote is not None:
        yield _quote(event.quote)
    for media in event.media:
        if media.file_name:
            yield f"<file>{data_line(media.file_name)}</file>"


def _quote(quote: Quote) -> str:
    author = "you" if quote.own else data_line(quote.author)
    by = f' by="{author.replace(chr(34), chr(39))}"' if author else ""
    text = quote.text if len(quote.text) <= MAX_QUOTE_CHARACTERS else f"{quote.text[:MAX_QUOTE_CHARACTERS]}…"
    return f"<quote{by}>{_escaped(text)}</quote>"


def _name_of(media: MediaReference) -> str:
    return f" {data_line(media.file_name)!r}" if media.file_name else ""


def data_line(text: str) -> str:
    """Returns untrusted text as one short line without markup."""
    line = _CONTROL.sub(" ", text).strip()
    return _escaped(line if len(line) <= MAX_NAME_CHARACTERS else f"{line[:MAX_NAME_CHARACTERS]}…")


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")
