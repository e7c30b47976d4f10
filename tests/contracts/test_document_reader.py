import pytest

from polyant.adapters.memory.document_reader import MemoryDocumentReader
from polyant.adapters.pdf.document_reader import PypdfDocumentReader
from polyant.domain.media.documents import MAX_DOCUMENT_CHARACTERS
from polyant.testing.document_reader import LONG_SENTENCE, SENTENCE, DocumentReaderContract
from support.pdfs import pdf

DOCUMENT = pdf(SENTENCE)
LONG = pdf(*[LONG_SENTENCE * 500] * (MAX_DOCUMENT_CHARACTERS // (len(LONG_SENTENCE) * 500) + 1))


class _Documents(DocumentReaderContract):
    @pytest.fixture
    def document(self) -> bytes:
        return DOCUMENT

    @pytest.fixture
    def long_document(self) -> bytes:
        return LONG


class TestMemoryDocumentReader(_Documents):
    @pytest.fixture
    def document_reader(self) -> MemoryDocumentReader:
        return MemoryDocumentReader({DOCUMENT: SENTENCE, LONG: LONG_SENTENCE * 5_000})


class TestPypdfDocumentReader(_Documents):
    @pytest.fixture
    def document_reader(self) -> PypdfDocumentReader:
        return PypdfDocumentReader()
