"""Readers of documents that each break one promise."""

import asyncio
import logging
import time

import pytest
from msgspec.structs import replace

from polyant.adapters.memory.document_reader import MemoryDocumentReader
from polyant.domain.media.documents import MAX_DOCUMENT_CHARACTERS, DocumentText, UnreadableDocumentError
from polyant.testing.document_reader import LONG_SENTENCE, SENTENCE, DocumentReaderContract, long_pdf
from polyant.testing.pdfs import pdf, protected_pdf

TEXTS = {
    pdf(SENTENCE): SENTENCE,
    long_pdf(): LONG_SENTENCE * 5_000,
    pdf("", ""): "",
    protected_pdf(SENTENCE): None,
}


class MemoryContract(DocumentReaderContract):
    reader: type[MemoryDocumentReader]

    @pytest.fixture
    def document_reader(self) -> MemoryDocumentReader:
        return self.reader(TEXTS)


class ReadsInline(MemoryDocumentReader):
    """Reads in the event loop."""

    async def read_pdf(self, data: bytes) -> DocumentText:
        time.sleep(0)  # noqa: ASYNC251 - that is the mistake
        text = self._texts.get(data)
        if text:
            complete = len(text) <= MAX_DOCUMENT_CHARACTERS
            return DocumentText(text=text[:MAX_DOCUMENT_CHARACTERS], is_complete=complete)
        return await super().read_pdf(data)


class TestReadInline(MemoryContract):
    reader = ReadsInline


class ClaimsCompleteness(MemoryDocumentReader):
    """Shortens silently."""

    async def read_pdf(self, data: bytes) -> DocumentText:
        return replace(await super().read_pdf(data), is_complete=True)


class TestShortenedSilently(MemoryContract):
    reader = ClaimsCompleteness


class OneMore(MemoryDocumentReader):
    """Is off by one."""

    async def read_pdf(self, data: bytes) -> DocumentText:
        found = await super().read_pdf(data)
        return found if found.is_complete else replace(found, text=f"{found.text}.")


class TestOneCharacterTooMany(MemoryContract):
    reader = OneMore


class KeepsEnd(MemoryDocumentReader):
    """Keeps the end of a long text."""

    async def read_pdf(self, data: bytes) -> DocumentText:
        found = await super().read_pdf(data)
        text = self._texts[data] or ""
        return found if found.is_complete else replace(found, text=text[-MAX_DOCUMENT_CHARACTERS:])


class TestEndKept(MemoryContract):
    reader = KeepsEnd


class ReturnsNothing(MemoryDocumentReader):
    """Returns an empty text for what it can't read."""

    async def read_pdf(self, data: bytes) -> DocumentText:
        try:
            return await super().read_pdf(data)
        except UnreadableDocumentError:
            return DocumentText(text="")


class TestErrorsSwallowed(MemoryContract):
    reader = ReturnsNothing


class RaisesAnything(MemoryDocumentReader):
    """Lets the library's errors through."""

    async def read_pdf(self, data: bytes) -> DocumentText:
        if data not in self._texts:
            raise ValueError("EOF marker not found")
        return await super().read_pdf(data)


class TestLibraryErrors(MemoryContract):
    reader = RaisesAnything


class QuotesDocument(MemoryDocumentReader):
    """Quotes the document in its error."""

    async def read_pdf(self, data: bytes) -> DocumentText:
        if data not in self._texts:
            raise UnreadableDocumentError(f"The PDF can't be read: it is damaged: {data[:60]!r}")
        return await super().read_pdf(data)


class TestDocumentQuoted(MemoryContract):
    reader = QuotesDocument


class LogsText(MemoryDocumentReader):
    """Logs what it has read."""

    async def read_pdf(self, data: bytes) -> DocumentText:
        found = await super().read_pdf(data)
        logging.getLogger("reader").debug("read %s", found.text[:100])
        return found


class TestTextLogged(MemoryContract):
    reader = LogsText


class LosesPlaces(MemoryDocumentReader):
    """Doesn't give back the place of a cancelled call."""

    def __init__(self, texts: dict[bytes, str | None]) -> None:
        super().__init__(texts)
        self._places = asyncio.Semaphore(2)

    async def read_pdf(self, data: bytes) -> DocumentText:
        await self._places.acquire()
        try:
            found = await super().read_pdf(data)
        except UnreadableDocumentError:
            self._places.release()
            raise
        self._places.release()
        return found


class TestPlacesLost(MemoryContract):
    patience_seconds = 0.5
    reader = LosesPlaces


class SwallowsCancellation(MemoryDocumentReader):
    """Translates every exception."""

    async def read_pdf(self, data: bytes) -> DocumentText:
        try:
            return await super().read_pdf(data)
        except asyncio.CancelledError:
            raise UnreadableDocumentError("The PDF can't be read: it takes too long") from None


class TestCancellationSwallowed(MemoryContract):
    reader = SwallowsCancellation


class MixesUp(MemoryDocumentReader):
    """Keeps the document in an attribute, so that overlapping calls read the last one."""

    async def read_pdf(self, data: bytes) -> DocumentText:
        self._data = data
        await asyncio.sleep(0)
        return await super().read_pdf(self._data)


class TestCallsMixedUp(MemoryContract):
    reader = MixesUp
