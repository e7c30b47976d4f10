"""Port: transcription of recordings."""

from abc import abstractmethod
from typing import Protocol, runtime_checkable

from polyant.domain.media.parts import AudioPart


@runtime_checkable
class Transcriber(Protocol):
    """Writes down the words of recordings, such as voice messages."""

    is_enabled: bool
    """Whether recordings can be transcribed; `transcribe` isn't called otherwise."""

    @abstractmethod
    async def transcribe(self, recording: AudioPart, *, seconds: float) -> str:
        """Returns the words of a recording, without surrounding white space; empty if there are none.

        Calls may overlap, and a cancelled call ends immediately. The recording and the words appear in no log, error
        or repr.

        Args:
            recording: The recording.
            seconds: The time that the call may take.

        Raises:
            TranscriptionError: The service failed or took too long. The message contains neither the key nor the
                service's text.
        """
