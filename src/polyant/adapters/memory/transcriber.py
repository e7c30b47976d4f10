"""Transcripts from a mapping."""

from collections.abc import Mapping

from polyant.domain.media.parts import AudioPart
from polyant.domain.media.transcription import TranscriptionError
from polyant.domain.ports.transcriber import Transcriber


class MemoryTranscriber(Transcriber):
    """Returns the given words; other recordings can't be transcribed.

    Args:
        words: The words of each recording, by its content; None if recordings aren't transcribed.
    """

    def __init__(self, words: Mapping[bytes, str] | None = None) -> None:
        self._words: Mapping[bytes, str] = {}
        self.is_enabled = False
        if words is not None:
            self.enable(words)

    def enable(self, words: Mapping[bytes, str]) -> None:
        """Transcribes recordings from now on."""
        self._words, self.is_enabled = words, True

    async def transcribe(self, recording: AudioPart, *, seconds: float) -> str:  # noqa: ARG002 - takes no time
        if recording.data not in self._words:
            raise TranscriptionError
        return self._words[recording.data].strip()
