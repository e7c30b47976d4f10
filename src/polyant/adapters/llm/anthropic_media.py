"""Encodes the parts of a user message for Anthropic's Messages API.

See https://platform.claude.com/docs/en/build-with-claude/vision and /pdf-support.
"""

from collections.abc import Iterable, Iterator

from polyant.adapters.llm import anthropic_wire as wire
from polyant.domain.chat import TextPart, UserPart
from polyant.domain.media.parts import DocumentPart, ImagePart, MediaKind


def is_audio(_: UserPart, kind: MediaKind) -> bool:
    """Returns whether the part is a recording, for which the API has no block."""
    return kind is MediaKind.AUDIO


def media_blocks(parts: Iterable[UserPart]) -> list[wire.Block]:
    """Returns the blocks of a message with media; texts of only white space, which are rejected, are left out."""
    return list(_blocks(parts))


def _blocks(parts: Iterable[UserPart]) -> Iterator[wire.Block]:
    for part in parts:
        match part:
            case TextPart() if part.text.strip():
                yield wire.TextBlock(part.text)
            case ImagePart():
                yield wire.ImageBlock(wire.Source(part.media_type, part.data))
            case DocumentPart():
                yield wire.DocumentBlock(wire.Source(part.media_type, part.data), part.name or None)
