"""The contract of the port DocumentReader."""

import asyncio

import pytest

from polyant.domain.media.documents import MAX_DOCUMENT_CHARACTERS, UnreadableDocumentError
from polyant.domain.ports.document_reader import DocumentReader
from polyant.testing.contract import Contract, proves

SENTENCE = "Invoice 4711 of Polyant"
LONG_SENTENCE = "All work and no play makes Jack a dull boy. "


class DocumentReaderContract(Contract):
    """The tests that every DocumentReader must pass; subclasses provide one, and PDFs that it reads."""

    @pytest.fixture
    def document_reader(self) -> DocumentReader:
        raise NotImplementedError("return the DocumentReader")

    @pytest.fixture
    def document(self) -> bytes:
        raise NotImplementedError("return a PDF that contains SENTENCE")

    @pytest.fixture
    def long_document(self) -> bytes:
        raise NotImplementedError("return a PDF with more text than MAX_DOCUMENT_CHARACTERS")

    def test_implements_the_port(self, document_reader: DocumentReader) -> None:
        assert isinstance(document_reader, DocumentReader)

    @proves(
        "Reads the text of PDF documents, for models whose provider doesn't read them itself.",
        "Returns the text, at most `MAX_DOCUMENT_CHARACTERS` of it.",
    )
    async def test_text_is_read(self, document_reader: DocumentReader, document: bytes) -> None:
        found = await document_reader.read_pdf(document)
        assert found.text.strip() == SENTENCE
        assert found.is_complete
        assert SENTENCE not in repr(found)

    @proves("Returns the text, at most `MAX_DOCUMENT_CHARACTERS` of it.")
    async def test_long_text_is_shortened(self, document_reader: DocumentReader, long_document: bytes) -> None:
        found = await document_reader.read_pdf(long_document)
        assert len(found.text) == MAX_DOCUMENT_CHARACTERS
        assert not found.is_complete

    @proves("Calls may overlap, and a cancelled call ends soon.")
    async def test_calls_may_overlap(self, document_reader: DocumentReader, document: bytes) -> None:
        found = await asyncio.gather(*[document_reader.read_pdf(document) for _ in range(3)])
        assert [each.text.strip() for each in found] == [SENTENCE] * 3

    @proves(
        "UnreadableDocumentError: The document is damaged, protected by a password, too costly to read, "
        "or contains no text; or PDFs can't be read on this server.",
    )
    @pytest.mark.parametrize("length", [0, 5, 60])
    async def test_damaged_document_is_refused(
        self, document_reader: DocumentReader, document: bytes, length: int
    ) -> None:
        with pytest.raises(UnreadableDocumentError, match="The PDF can't be read: it is damaged"):
            await document_reader.read_pdf(document[:length])

    @proves("Nothing of the document appears in a log.")
    async def test_text_is_in_no_log(
        self, document_reader: DocumentReader, document: bytes, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(0)
        await document_reader.read_pdf(document)
        with pytest.raises(UnreadableDocumentError):
            await document_reader.read_pdf(document[:60])
        assert SENTENCE not in caplog.text
