"""PDF documents that want more than text is worth."""

import asyncio
import sys

import pytest

from polyant.adapters.pdf import document_reader, extraction
from polyant.adapters.pdf.document_reader import PypdfDocumentReader
from polyant.domain.media.documents import UnreadableDocumentError
from polyant.testing.pdfs import assembled, pdf
from support.patience import seconds


async def refused(reader: PypdfDocumentReader, data: bytes) -> str:
    with pytest.raises(UnreadableDocumentError) as caught:
        await reader.read_pdf(data)
    return caught.value.explanation


@pytest.fixture
def reader() -> PypdfDocumentReader:
    return PypdfDocumentReader(seconds=seconds(30))


async def test_document_without_text_says_so(reader: PypdfDocumentReader) -> None:
    assert await refused(reader, pdf("", "")) == "The PDF can't be read: it contains no text"


async def test_pages_beyond_a_number_are_left_out(reader: PypdfDocumentReader) -> None:
    found = await reader.read_pdf(pdf(*[f"Page {number}" for number in range(extraction.MAX_PAGES + 5)]))
    assert f"Page {extraction.MAX_PAGES - 1}" in found.text
    assert f"Page {extraction.MAX_PAGES}" not in found.text
    assert not found.is_complete


async def test_document_whose_pages_point_in_circles_is_refused(reader: PypdfDocumentReader) -> None:
    catalog, pages = "<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Kids [2 0 R] /Count 1 >>"
    assert (await refused(reader, assembled([catalog, pages]))).startswith("The PDF can't be read")


async def test_process_that_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    endless = (sys.executable, "-I", "-c", "import sys, time; sys.stdin.read(); time.sleep(1000)")
    monkeypatch.setattr(document_reader, "_COMMAND", endless)
    message = "The PDF can't be read: reading it takes too much time or memory"
    assert await refused(PypdfDocumentReader(seconds=0.2), pdf("x")) == message
    call = asyncio.create_task(PypdfDocumentReader().read_pdf(pdf("x")))
    await asyncio.sleep(0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call


async def test_process_that_dies_is_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document_reader, "_COMMAND", (sys.executable, "-I", "-c", "import os; os.abort()"))
    assert "too much time or memory" in await refused(PypdfDocumentReader(), b"%PDF-" + bytes(1_000_000))


async def test_missing_package_is_a_refusal_that_names_the_fix_in_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    program = f"import json; print(json.dumps({{'fault': {extraction.NOT_INSTALLED!r}}}))"
    monkeypatch.setattr(document_reader, "_COMMAND", (sys.executable, "-I", "-c", program))
    message = await refused(PypdfDocumentReader(), pdf("x"))
    assert message == "The PDF can't be read: this server can't read PDF documents"
    assert "polyant[pdf]" in caplog.text
