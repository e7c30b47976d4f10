"""Texts of documents from a mapping."""

from collections.abc import Mapping

from polyant.domain.media.documents import DocumentText, UnreadableDocumentError, shortened
from polyant.domain.ports.document_reader import DocumentReader


class MemoryDocumentReader(DocumentReader):
    """Returns the given texts; other documents can't be read.

    Args:
        texts: The text of each document, by its content.
    """

    def __init__(self, texts: Mapping[bytes, str] | None = None) -> None:
        self._texts = {} if texts is None else texts

    async def read_pdf(self, data: bytes) -> DocumentText:
        if data not in self._texts:
            raise UnreadableDocumentError("The PDF can't be read: it is damaged")
        return shortened(self._texts[data])
