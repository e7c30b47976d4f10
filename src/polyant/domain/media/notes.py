"""Notes to the model in place of media that it doesn't get."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec

from polyant.domain.chat import ModelMessage, TextPart, UserMessage, UserPart
from polyant.domain.media.parts import MediaKind, StoredPart, kind_of

MAX_OF_A_KIND = 4
"""The maximum number of images that go to a model, and of recordings and of documents."""

MessageT = TypeVar("MessageT", bound=ModelMessage)

_NOUNS = {
    MediaKind.IMAGE: ("an image", "images"),
    MediaKind.AUDIO: ("a recording", "recordings"),
    MediaKind.DOCUMENT: ("a document", "documents"),
}
_INABILITIES = {
    MediaKind.IMAGE: "look at pictures",
    MediaKind.AUDIO: "listen to recordings",
    MediaKind.DOCUMENT: "read documents of this type",
}
_BLANK_LINE = "\n\n"


def unsupported_note(kind: MediaKind, count: int) -> str:
    """Returns the note that makes the model tell the user, in the user's language, that it can't take the media."""
    return (
        f"[The user sent {_counted(kind, count)} with this message, which you can't see. Say once, in the user's "
        f"language, that you can't {_INABILITIES[kind]}, and answer everything else.]"
    )


def omitted_note(kind: MediaKind, count: int) -> str:
    """Returns the marker of media of an older message."""
    return f"[{_counted(kind, count).capitalize()} of this message left out here.]"


def without_media(
    messages: Sequence[MessageT], is_refused: Callable[[UserPart, MediaKind], bool]
) -> tuple[MessageT, ...]:
    """Returns the messages without the refused media; a note in the last user message makes the model say so.

    Args:
        messages: The conversation.
        is_refused: Returns whether the model can't take a part of that kind.
    """
    last = next((at for at in reversed(range(len(messages))) if isinstance(messages[at], UserMessage)), -1)
    return tuple(
        _replaced(message, is_refused, unsupported_note if at == last else omitted_note)
        for at, message in enumerate(messages)
    )


def with_markers(message: UserMessage, *, keep_stored: bool = False) -> UserMessage:
    """Returns the message with markers in place of media; references to stored media are kept if `keep_stored`."""
    return _replaced(message, lambda part, _: not (keep_stored and isinstance(part, StoredPart)), omitted_note)


def without_stored(message: UserMessage) -> UserMessage:
    """Returns the message with markers in place of references to stored media."""
    return _replaced(message, lambda part, _: isinstance(part, StoredPart), omitted_note)


def newest_only(
    messages: Sequence[MessageT], *, fits: Callable[[UserPart], bool] = lambda _: True
) -> tuple[MessageT, ...]:
    """Returns the messages with the newest `MAX_OF_A_KIND` media of each kind; markers replace older ones.

    Args:
        messages: The conversation.
        fits: Called with each of the newest media, the newest first; a marker replaces those that don't fit.
    """
    counts: Counter[MediaKind] = Counter()

    def is_left_out(part: UserPart, kind: MediaKind) -> bool:
        counts[kind] += 1
        return counts[kind] > MAX_OF_A_KIND or not fits(part)

    return tuple(_replaced(message, is_left_out, omitted_note) for message in reversed(messages))[::-1]


def _replaced(
    message: MessageT, is_dropped: Callable[[UserPart, MediaKind], bool], note: Callable[[MediaKind, int], str]
) -> MessageT:
    """Returns the message with a note for the dropped media of each kind at its end; the last media are asked first."""
    if not isinstance(message, UserMessage) or not message.has_media:
        return message
    kept, dropped = [], Counter[MediaKind]()
    for part in reversed(message.parts):
        kind = kind_of(part)
        if kind is not None and is_dropped(part, kind):
            dropped[kind] += 1
        else:
            kept.append(part)
    if not dropped:
        return message
    texts = [note(kind, count) for kind, count in dropped.items()]
    return msgspec.structs.replace(message, parts=_with_text(tuple(reversed(kept)), texts))


def _with_text(parts: tuple[UserPart, ...], texts: Sequence[str]) -> tuple[UserPart, ...]:
    """Returns the parts with further paragraphs at their end."""
    has_text = any(isinstance(part, TextPart) and part.text.strip() for part in parts)
    return (*parts, TextPart(_BLANK_LINE.join(("", *texts) if has_text else texts)))


def _counted(kind: MediaKind, count: int) -> str:
    one, several = _NOUNS[kind]
    return one if count == 1 else f"{count} {several}"
