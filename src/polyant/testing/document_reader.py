"""The contract of the port DocumentReader."""

import asyncio
import functools
from typing import ClassVar

import pytest

from polyant.domain.media.documents import MAX_DOCUMENT_CHARACTERS, UnreadableDocumentError
from polyant.domain.ports.document_reader import DocumentReader
from polyant.testing.contract import Contract, proves
from polyant.testing.pdfs import pdf, protected_pdf

SENTENCE = "Invoice 4711 of Polyant"
LONG_SENTENCE = "All work and no play makes Jack a dull boy. "

_CANCELLED_CALLS = 8
_UNREADABLE = (
    "UnreadableDocumentError: The document is damaged, protected by a password, too costly to read, or contains no "
    "text; or PDFs can't be read on this server."
)


@functools.cache
def long_pdf() -> bytes:
    """Returns a PDF with more text than MAX_DOCUMENT_CHARACTERS."""
    page = LONG_SENTENCE * 500
    return pdf(*[page] * (MAX_DOCUMENT_CHARACTERS // len(page) + 1))


class DocumentReaderContract(Contract):
    """The tests that every DocumentReader must pass; subclasses provide one.

    Override the fixtures of documents only if the reader asks a service that is scripted, too.
    """

    patience_seconds: ClassVar[float] = 30.0
    """The time for cancelled calls to end, and for a short document to be read."""

    @pytest.fixture
    def document_reader(self) -> DocumentReader:
        raise NotImplementedError("return the DocumentReader")

    @pytest.fixture
    def document(self) -> bytes:
        """A PDF that contains SENTENCE."""
        return pdf(SENTENCE)

    @pytest.fixture
    def long_document(self) -> bytes:
        """A PDF with more text than MAX_DOCUMENT_CHARACTERS."""
        return long_pdf()

    @pytest.fixture
    def blank_document(self) -> bytes:
        """A PDF without text, such as a scan."""
        return pdf("", "")

    @pytest.fixture
    def protected_document(self) -> bytes:
        """A PDF that a password protects."""
        return protected_pdf(SENTENCE)

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
        assert found.text.startswith(LONG_SENTENCE * 10)
        assert not found.is_complete

    @proves("Calls may overlap, and a cancelled call ends soon.")
    async def test_calls_may_overlap(
        self, document_reader: DocumentReader, document: bytes, long_document: bytes
    ) -> None:
        documents = [document, long_document, document]
        found = await asyncio.gather(*[document_reader.read_pdf(each) for each in documents])
        assert [each.is_complete for each in found] == [True, False, True]
        assert found[0].text.strip() == found[2].text.strip() == SENTENCE

    @proves("Calls may overlap, and a cancelled call ends soon.")
    async def test_cancelled_calls_end_and_leave_room_for_others(
        self, document_reader: DocumentReader, document: bytes, long_document: bytes
    ) -> None:
        """A reader that reads a few documents at once has to give the places of cancelled calls back."""
        calls = [asyncio.create_task(document_reader.read_pdf(long_document)) for _ in range(_CANCELLED_CALLS)]
        await asyncio.sleep(0)
        for call in calls:
            call.cancel()
        async with asyncio.timeout(self.patience_seconds):
            ended = await asyncio.gather(*calls, return_exceptions=True)
            assert all(isinstance(each, asyncio.CancelledError) for each in ended)
            assert (await document_reader.read_pdf(document)).text.strip() == SENTENCE

    async def test_other_tasks_run_while_a_document_is_read(
        self, document_reader: DocumentReader, long_document: bytes
    ) -> None:
        """A reader in this process would block all turns: read in another one, or on another host."""
        ran = asyncio.Event()
        asyncio.get_running_loop().call_soon(ran.set)
        await document_reader.read_pdf(long_document)
        assert ran.is_set()

    @proves(_UNREADABLE)
    @pytest.mark.parametrize("length", [0, 5, 60])
    async def test_damaged_document_is_refused(
        self, document_reader: DocumentReader, document: bytes, length: int
    ) -> None:
        with pytest.raises(UnreadableDocumentError, match="The PDF can't be read: it is damaged"):
            await document_reader.read_pdf(document[:length])

    @proves(_UNREADABLE)
    async def test_protected_document_is_refused(
        self, document_reader: DocumentReader, protected_document: bytes
    ) -> None:
        with pytest.raises(UnreadableDocumentError, match=r"The PDF can't be read: .*protected"):
            await document_reader.read_pdf(protected_document)

    @proves(_UNREADABLE)
    async def test_document_without_text_is_refused(
        self, document_reader: DocumentReader, blank_document: bytes
    ) -> None:
        """Otherwise the model would describe an empty document."""
        with pytest.raises(UnreadableDocumentError, match="The PDF can't be read: it contains no text"):
            await document_reader.read_pdf(blank_document)

    @proves("Nothing of the document appears in a log.")
    async def test_text_is_in_no_log_and_no_error(
        self, document_reader: DocumentReader, document: bytes, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(0)
        await document_reader.read_pdf(document)
        damaged = b"%PDF-1.4 " + SENTENCE.encode()
        with pytest.raises(UnreadableDocumentError) as caught:
            await document_reader.read_pdf(damaged)
        shown = [repr(error) for error in (caught.value, caught.value.__cause__, caught.value.__context__)]
        assert SENTENCE not in caplog.text + "".join(shown) + caught.value.explanation
