"""An HTTP response with time and size limits."""

import asyncio
from contextlib import suppress

import aiohttp

from polyant.adapters.llm.failures import raise_bad_response
from polyant.adapters.llm.response_reader import ResponseReader
from polyant.adapters.llm.sse import BOM

MAX_BYTES = 32 * 1024 * 1024
_DRAIN_SECONDS = 0.25


class ResponseLimits:
    """The time limits of a response.

    Args:
        deadline: The end of the whole call, in the event loop's time.
        first_token_deadline: The latest time for the first token, in the event loop's time.
        idle_seconds: The maximum time that one read may take.
    """

    __slots__ = ("deadline", "first_token_deadline", "idle_seconds")

    def __init__(self, *, deadline: float, first_token_deadline: float, idle_seconds: float) -> None:
        self.deadline = deadline
        self.first_token_deadline = min(first_token_deadline, deadline)
        self.idle_seconds = idle_seconds


class BoundedResponse:
    """Reads a response, and closes it when it exceeds a limit.

    It uses one timer: a timeout around each read would cost more than the read, and a timeout around the whole stream
    would cancel the consumer. The consumer's time counts against the deadline of the call, but not as idle time.
    """

    def __init__(self, response: aiohttp.ClientResponse, reader: ResponseReader, limits: ResponseLimits) -> None:
        self._loop = asyncio.get_running_loop()
        self._response = response
        self._content = response.content
        self._reader = reader
        self._limits = limits
        self._bytes_left = MAX_BYTES
        self._reading_since: float | None = None
        self._expired = False
        self._timer = self._loop.call_at(self._next_check(), self._check_time)

    async def read(self) -> bytes:
        """Returns the next bytes, empty at the end.

        When the response is complete, a connection error or a timeout also counts as the end.

        Raises:
            TimeoutError: The response exceeded a time limit.
            CallFailedError: The response is longer than `MAX_BYTES`.
        """
        self._reading_since = self._loop.time()
        try:
            chunk = await self._content.readany()
        except (aiohttp.ClientError, OSError):
            if self._reader.complete:
                return b""
            if self._expired:
                raise TimeoutError from None
            raise
        finally:
            self._reading_since = None
        self._bytes_left -= len(chunk)
        if self._bytes_left < 0:
            raise_bad_response()
        return chunk

    async def read_start(self) -> bytes:
        """Returns the first bytes that are neither a byte order mark nor white space, empty if there are none.

        They tell JSON from a stream of events; some servers send one although the other was requested, or label it so.
        Raises the same errors as `read`.
        """
        head = b""
        while chunk := await self.read():
            head += chunk
            if not BOM.startswith(head) and (start := head.removeprefix(BOM).lstrip()):
                return start
            head = head if BOM.startswith(head) else b""
        return head

    async def read_all(self) -> bytes:
        """Returns the rest of the body; raises the same errors as `read`."""
        chunks = []
        while chunk := await self.read():
            chunks.append(chunk)
        return b"".join(chunks)

    async def drain(self) -> None:
        """Reads the rest of a complete response for up to 0.25 seconds, so that the connection can be reused."""
        with suppress(aiohttp.ClientError, OSError):
            async with asyncio.timeout(_DRAIN_SECONDS):
                while await self._content.readany():
                    pass

    def close(self) -> None:
        """Closes the connection, unless the body has been read completely."""
        self._timer.cancel()
        self._response.close()

    def _check_time(self) -> None:
        if self._expires_at() > self._loop.time():
            self._timer = self._loop.call_at(self._next_check(), self._check_time)
        else:
            self._expired = True
            self._response.close()

    def _next_check(self) -> float:
        return min(self._expires_at(), self._loop.time() + self._limits.idle_seconds)

    def _expires_at(self) -> float:
        limits = self._limits
        if not self._reader.began:
            return limits.first_token_deadline
        if self._reading_since is None:
            return limits.deadline
        return min(self._reading_since + limits.idle_seconds, limits.deadline)
