"""Port: the text of documents."""

from abc import abstractmethod
from typing import Protocol, runtime_checkable

from polyant.domain.media.documents import DocumentText


@runtime_checkable
class DocumentReader(Protocol):
    """Reads the text of PDF documents, for models whose provider doesn't read them itself."""

    @abstractmethod
    async def read_pdf(self, data: bytes) -> DocumentText:
        """Returns the text, at most `MAX_DOCUMENT_CHARACTERS` of it.

        The time, the memory and the number of pages are bounded, whatever the document contains, and the event loop
        isn't blocked. Calls may overlap, and a cancelled call ends soon. Nothing of the document appears in a log.

        Raises:
            UnreadableDocumentError: The document is damaged, protected by a password, too costly to read, or contains
                no text; or PDFs can't be read on this server.
        """
