"""Turns recordings and documents into text for the model."""

import logging
from collections.abc import Collection

from polyant.domain.chat import TextPart, UserMessage, UserPart
from polyant.domain.media.documents import UnreadableDocumentError, document_text, is_pdf, plain_text_of
from polyant.domain.media.parts import AudioPart, DocumentPart, MediaKind
from polyant.domain.media.transcription import TranscriptionError, transcript_text
from polyant.domain.ports.document_reader import DocumentReader
from polyant.domain.ports.transcriber import Transcriber

log = logging.getLogger("polyant.media")

_BLANK_LINE = TextPart("\n\n")
_NOT_TRANSCRIBED = (
    "[The user sent a recording that couldn't be transcribed now. Say once, in the user's language, that you couldn't "
    "understand it, and answer everything else.]"
)


class Attachments:
    """Turns recordings into transcripts, and documents into their text.

    Args:
        transcriber: Writes down the words of recordings.
        reader: Reads PDF documents.
    """

    def __init__(self, *, transcriber: Transcriber, reader: DocumentReader) -> None:
        self._transcriber = transcriber
        self._reader = reader

    async def as_text(self, message: UserMessage, taken: Collection[MediaKind], *, seconds: float) -> UserMessage:
        """Returns the message with text in place of the recordings and documents that can be turned into it.

        Recordings become transcripts if a transcriber is enabled. PDF documents stay if the provider takes documents.

        Args:
            message: The message.
            taken: The kinds of media that the provider takes.
            seconds: The time that is left of the turn.
        """
        parts: list[UserPart] = []
        for part in message.parts:
            text = await self._text_of(part, taken, seconds)
            if text is None:
                parts.append(part)
                continue
            if parts:
                parts.append(_BLANK_LINE)
            parts += (TextPart(text), _BLANK_LINE)
        while len(parts) > 1 and parts[-1] is _BLANK_LINE:
            parts.pop()
        return UserMessage(tuple(parts))

    async def _text_of(self, part: UserPart, taken: Collection[MediaKind], seconds: float) -> str | None:
        """Returns the text of a part; None if it stays as it is."""
        match part:
            case AudioPart() if self._transcriber.is_enabled:
                return await self._transcript(part, seconds)
            case DocumentPart() if is_pdf(part.data):
                return None if MediaKind.DOCUMENT in taken else await self._pdf_text(part)
            case DocumentPart():
                found = plain_text_of(part.data)
                return None if found is None else document_text(part.name, found)
        return None

    async def _transcript(self, recording: AudioPart, seconds: float) -> str:
        try:
            return transcript_text(await self._transcriber.transcribe(recording, seconds=seconds))
        except TranscriptionError as error:
            log.warning("recording not transcribed: %s", error.hint or error.message)
            return _NOT_TRANSCRIBED

    async def _pdf_text(self, document: DocumentPart) -> str:
        try:
            return document_text(document.name, await self._reader.read_pdf(document.data))
        except UnreadableDocumentError as error:
            return (
                f"[The user sent a document that you don't get: {error.message}. Say so once, in the user's language, "
                "and answer everything else.]"
            )


def is_unreadable(part: UserPart) -> bool:
    """Returns whether the part is a document that no provider takes."""
    return isinstance(part, DocumentPart) and not is_pdf(part.data)
