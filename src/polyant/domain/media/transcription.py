"""Transcripts of recordings, and the settings of the service that writes them."""

import msgspec

from polyant.domain.errors import PolyantError
from polyant.domain.secrets import SecretText

DEFAULT_TRANSCRIPTION_MODEL = "whisper-1"


class TranscriptionService(msgspec.Struct, frozen=True, kw_only=True):
    """The service in TRANSCRIBER_URL."""

    url: str = ""
    """The base URL, such as https://api.openai.com/v1; empty if recordings aren't transcribed."""
    model: str = DEFAULT_TRANSCRIPTION_MODEL
    key: SecretText | None = None


class TranscriptionError(PolyantError):
    """The recording can't be transcribed now."""

    def __init__(self, *, hint: str | None = None) -> None:
        super().__init__("The recording couldn't be transcribed", hint=hint)


def transcript_text(words: str) -> str:
    """Returns the transcript of a recording, marked as one for the model."""
    if not words.strip():
        return "[The user sent a recording. Its transcript is empty: no words were understood.]"
    head = "[Transcript of a recording that the user sent; it may contain mistakes:]"
    return f"{head}\n{words.strip()}\n[End of transcript]"
