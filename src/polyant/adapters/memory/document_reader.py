"""Texts of documents from a mapping."""

import asyncio
from collections.abc import Mapping

from polyant.domain.media.documents import DocumentText, UnreadableDocumentError, shortened
from polyant.domain.ports.document_reader import DocumentReader


class MemoryDocumentReader(DocumentReader):
    """Returns the given texts; other documents can't be read.

    Args:
        texts: The text of each document, by its content; None for one that a password protects.
    """

    def __init__(self, texts: Mapping[bytes, str | None] | None = None) -> None:
        self._texts = {} if texts is None else texts

    async def read_pdf(self, data: bytes) -> DocumentText:
        await asyncio.sleep(0)  # other tasks run while a document is read
        if data not in self._texts:
            raise UnreadableDocumentError("The PDF can't be read: it is damaged")
        text = self._texts[data]
        if not text:
            reason = "it is protected by a password" if text is None else "it contains no text"
            raise UnreadableDocumentError(f"The PDF can't be read: {reason}")
        return shortened(text)
