"""Transcripts from a mapping."""

import asyncio
from collections.abc import Mapping

from polyant.domain.media.parts import AudioPart
from polyant.domain.media.transcription import TranscriptionError
from polyant.domain.ports.transcriber import Transcriber


class MemoryTranscriber(Transcriber):
    """Returns the given words; other recordings can't be transcribed.

    Args:
        words: The words of each recording, by its content; None if recordings aren't transcribed.
        responds: Whether it returns the words; otherwise, each call takes its whole time and fails.
    """

    def __init__(self, words: Mapping[bytes, str] | None = None, *, responds: bool = True) -> None:
        self._responds = responds
        self._words: Mapping[bytes, str] = {}
        self.is_enabled = False
        if words is not None:
            self.enable(words)

    def enable(self, words: Mapping[bytes, str]) -> None:
        """Transcribes recordings from now on."""
        self._words, self.is_enabled = words, True

    async def transcribe(self, recording: AudioPart, *, seconds: float) -> str:
        if not self._responds:
            await asyncio.sleep(seconds)
            raise TranscriptionError
        if recording.data not in self._words:
            raise TranscriptionError
        return self._words[recording.data].strip()
