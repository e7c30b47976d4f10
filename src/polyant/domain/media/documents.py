"""Documents: their type and text, as far as the content itself shows them."""

import codecs
import re

import msgspec

from polyant.domain.errors import PolyantError

MAX_DOCUMENT_CHARACTERS = 200_000
"""The maximum number of characters of a document that go to the model."""

PDF = "application/pdf"
TEXT = "text/plain"

_PDF_SIGNATURE = b"%PDF-"
_PDF_SIGNATURE_WITHIN = 1_024
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_MAX_NAME_CHARACTERS = 100
_UNFIT_FOR_NAMES = re.compile(r"[\x00-\x1f\x7f\[\]\u2028\u2029]")


class DocumentText(msgspec.Struct, frozen=True, kw_only=True):
    """The text of a document; repr hides it."""

    text: str
    is_complete: bool = True
    """Whether it is the whole text."""

    def __repr__(self) -> str:
        """Returns a representation without the text."""
        return f"DocumentText({len(self.text)} characters)"


class UnreadableDocumentError(PolyantError):
    """The text of a document can't be read; the message says why, and contains nothing of the document."""


def is_pdf(data: bytes) -> bool:
    """Returns whether the content is a PDF."""
    return _PDF_SIGNATURE in data[:_PDF_SIGNATURE_WITHIN]


def plain_text_of(data: bytes) -> DocumentText | None:
    """Returns the text of a text file of any kind; None if the content isn't text.

    The encoding is that of a byte order mark, otherwise UTF-8, otherwise Windows-1252.
    """
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), "utf-8")
    text = _decoded(data, encoding)
    if text is None and encoding == "utf-8":
        text = _decoded(data, "cp1252")
    return None if text is None else shortened(text)


def _decoded(data: bytes, encoding: str) -> str | None:
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        return None
    return None if _CONTROL.search(text) else text


def shortened(text: str, *, is_complete: bool = True) -> DocumentText:
    """Returns at most `MAX_DOCUMENT_CHARACTERS` of a text."""
    kept = text[:MAX_DOCUMENT_CHARACTERS]
    return DocumentText(text=kept, is_complete=is_complete and len(kept) == len(text))


def document_text(name: str, document: DocumentText) -> str:
    """Returns the text of a document, marked as one for the model."""
    shown = _UNFIT_FOR_NAMES.sub(" ", name)[:_MAX_NAME_CHARACTERS].strip()
    title = f"the document {shown}" if shown else "a document"
    end = "End of document" if document.is_complete else "The rest of the document is left out"
    return f"[Text of {title} that the user sent:]\n{document.text.strip()}\n[{end}]"
