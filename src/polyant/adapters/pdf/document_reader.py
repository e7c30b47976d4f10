"""Reads PDF documents with pypdf, each in a process of its own."""

import asyncio
import contextlib
import logging
import sys

import msgspec

from polyant.adapters.pdf.extraction import NOT_INSTALLED
from polyant.domain.media.documents import DocumentText, UnreadableDocumentError, shortened
from polyant.domain.ports.document_reader import DocumentReader

_MAX_SECONDS = 30.0
_MAX_PROCESSES = 2
_COMMAND = (sys.executable, "-I", "-m", "polyant.adapters.pdf.extraction")

_log = logging.getLogger("polyant.media")


class _Result(msgspec.Struct, frozen=True):
    text: str = ""
    is_complete: bool = True
    fault: str | None = None


class PypdfDocumentReader(DocumentReader):
    """Runs at most two processes at once, each for at most 30 seconds; further documents wait.

    Args:
        seconds: The maximum time for one document.
    """

    def __init__(self, *, seconds: float = _MAX_SECONDS) -> None:
        self._seconds = seconds
        self._slots = asyncio.Semaphore(_MAX_PROCESSES)

    async def read_pdf(self, data: bytes) -> DocumentText:
        async with self._slots:
            output = await self._extract(data)
        try:
            result = msgspec.json.decode(output, type=_Result)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise _unreadable("reading it takes too much time or memory") from None
        if result.fault == NOT_INSTALLED:
            _log.warning("PDF documents can't be read: install polyant[pdf]")
            raise _unreadable("this server can't read PDF documents")
        if result.fault is not None:
            raise _unreadable(result.fault)
        return shortened(result.text, is_complete=result.is_complete)

    async def _extract(self, data: bytes) -> bytes:
        """Returns the output of the process; nothing if it was ended."""
        process = await asyncio.create_subprocess_exec(
            *_COMMAND,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={},
        )
        try:
            async with asyncio.timeout(self._seconds):
                output, _ = await process.communicate(data)
        except TimeoutError:
            return b""
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await asyncio.shield(process.wait())
        return output


def _unreadable(reason: str) -> UnreadableDocumentError:
    return UnreadableDocumentError(f"The PDF can't be read: {reason}")
