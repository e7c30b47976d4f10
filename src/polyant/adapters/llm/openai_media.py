"""Encodes the parts of a user message for OpenAI's Chat Completions API.

See https://platform.openai.com/docs/guides/images-vision, /audio and /pdf-files.
"""

from base64 import b64encode
from collections.abc import Iterable, Iterator

from polyant.adapters.llm import openai_wire as wire
from polyant.domain.chat import TextPart, UserPart
from polyant.domain.media.parts import AudioPart, DocumentPart, ImagePart, MediaKind

_AUDIO_FORMATS = {
    "audio/wav": "wav",
    "audio/x-wav": "wav",
    "audio/wave": "wav",
    "audio/mpeg": "mp3",
    "audio/mp3": "mp3",
}
_DEFAULT_NAME = "document.pdf"


def is_refused_audio(part: UserPart, _: MediaKind) -> bool:
    """Returns whether the part is a recording in a format that the API doesn't have."""
    return isinstance(part, AudioPart) and part.media_type not in _AUDIO_FORMATS


def content_parts(parts: Iterable[UserPart]) -> list[wire.ContentPart]:
    """Returns the content of a message with media; empty texts, which some servers reject, are left out."""
    return list(_content_parts(parts))


def _content_parts(parts: Iterable[UserPart]) -> Iterator[wire.ContentPart]:
    for part in parts:
        match part:
            case TextPart() if part.text.strip():
                yield wire.TextPart(part.text)
            case ImagePart():
                yield wire.ImagePart(wire.ImageUrl(_data_url(part.media_type, part.data), part.detail))
            case AudioPart():
                yield wire.AudioPart(wire.InputAudio(_base64(part.data), _AUDIO_FORMATS[part.media_type]))
            case DocumentPart():
                file = wire.File(part.name or _DEFAULT_NAME, _data_url(part.media_type, part.data))
                yield wire.FilePart(file)


def _data_url(media_type: str, data: bytes) -> str:
    return f"data:{media_type};base64,{_base64(data)}"


def _base64(data: bytes) -> str:
    return b64encode(data).decode("ascii")
