"""Extracts the text of a PDF from standard input, in a process of its own; run as `python -m`.

pypdf is written in Python, so a hostile document can make it slow or greedy, but can't make it run code. The process
has limits for CPU time and memory, which end it without consequences for the server.
"""

import io
import json
import resource
import sys

from polyant.domain.media.documents import MAX_DOCUMENT_CHARACTERS

MAX_PAGES = 200
MAX_CPU_SECONDS = 20
MAX_MEMORY_BYTES = 1024 * 1024 * 1024

NO_TEXT = "it contains no text"
PROTECTED = "it is protected by a password"
DAMAGED = "it is damaged"
NOT_INSTALLED = "pypdf isn't installed"


def main() -> None:
    """Writes a JSON object with `text` and `is_complete`, or with `fault`."""
    limits = {resource.RLIMIT_CPU: MAX_CPU_SECONDS, resource.RLIMIT_AS: MAX_MEMORY_BYTES, resource.RLIMIT_FSIZE: 0}
    for kind, limit in limits.items():
        resource.setrlimit(kind, (limit, limit))
    try:
        result = _extract(sys.stdin.buffer.read())
    except ModuleNotFoundError:
        result = {"fault": NOT_INSTALLED}
    except (Exception, RecursionError):  # noqa: BLE001 - damaged documents make pypdf raise errors of every type
        result = {"fault": DAMAGED}
    sys.stdout.write(json.dumps(result))


def _extract(data: bytes) -> dict[str, object]:
    from pypdf import PdfReader  # noqa: PLC0415 - an extra, which may be missing

    reader = PdfReader(io.BytesIO(data))
    if reader.is_encrypted and not reader.decrypt(""):
        return {"fault": PROTECTED}
    texts: list[str] = []
    length = 0
    is_complete = True
    for number, page in enumerate(reader.pages):
        if number >= MAX_PAGES or length > MAX_DOCUMENT_CHARACTERS:
            is_complete = False
            break
        texts.append(page.extract_text())
        length += len(texts[-1])
    text = "\n\n".join(filter(str.strip, texts))
    if not text:
        return {"fault": NO_TEXT}
    return {"text": text[: MAX_DOCUMENT_CHARACTERS + 1], "is_complete": is_complete}


if __name__ == "__main__":
    main()
