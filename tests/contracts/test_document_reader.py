import pytest

from polyant.adapters.memory.document_reader import MemoryDocumentReader
from polyant.adapters.pdf.document_reader import PypdfDocumentReader
from polyant.testing.document_reader import LONG_SENTENCE, SENTENCE, DocumentReaderContract, long_pdf
from polyant.testing.pdfs import pdf, protected_pdf

TEXTS = {
    pdf(SENTENCE): SENTENCE,
    long_pdf(): LONG_SENTENCE * 5_000,
    pdf("", ""): "",
    protected_pdf(SENTENCE): None,
}


class TestMemoryDocumentReader(DocumentReaderContract):
    @pytest.fixture
    def document_reader(self) -> MemoryDocumentReader:
        return MemoryDocumentReader(TEXTS)


class TestPypdfDocumentReader(DocumentReaderContract):
    @pytest.fixture
    def document_reader(self) -> PypdfDocumentReader:
        return PypdfDocumentReader()
