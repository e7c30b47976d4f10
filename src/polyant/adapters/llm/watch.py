"""A vendor's answer under time and size limits."""

import asyncio
from contextlib import suppress

import aiohttp

from polyant.adapters.llm.answer import Answer
from polyant.adapters.llm.failures import refuse

MAX_BYTES = 32 * 1024 * 1024
_DRAIN_SECONDS = 0.25


class Limits:
    """When an answer is late, in the loop's time; `idle` in seconds between two reads."""

    __slots__ = ("first_piece_at", "idle", "over_at")

    def __init__(self, *, over_at: float, first_piece_at: float, idle: float) -> None:
        self.over_at = over_at
        self.first_piece_at = min(first_piece_at, over_at)
        self.idle = idle


class Watch:
    """Reads a response, and closes it when it is late.

    One timer does it, because a timeout around each read would cost more than the read, and one around the whole
    stream would cancel whoever consumes it. Time that the consumer takes is not counted against the vendor, but for the
    end of the call as a whole.
    """

    def __init__(self, response: aiohttp.ClientResponse, answer: Answer, limits: Limits) -> None:
        self._loop = asyncio.get_running_loop()
        self._response = response
        self._content = response.content
        self._answer = answer
        self._limits = limits
        self._bytes_left = MAX_BYTES
        self._reading_since: float | None = None
        self._expired = False
        self._timer = self._loop.call_at(self._next_look(), self._look)

    @property
    def is_stream(self) -> bool:
        """Whether the vendor streams; some answer whole although they were asked for a stream."""
        return self._response.content_type != "application/json"

    async def read(self) -> bytes:
        """Returns the bytes that came next, none at the end.

        After a complete answer, a broken or late end is an end.

        Raises:
            TimeoutError: The answer is late.
            CallFailedError: It is too long.
        """
        self._reading_since = self._loop.time()
        try:
            chunk = await self._content.readany()
        except (aiohttp.ClientError, OSError):
            if self._answer.complete:
                return b""
            if self._expired:
                raise TimeoutError from None
            raise
        finally:
            self._reading_since = None
        self._bytes_left -= len(chunk)
        if self._bytes_left < 0:
            refuse()
        return chunk

    async def read_all(self) -> bytes:
        """Returns the rest of the body; raises as `read` does."""
        chunks = []
        while chunk := await self.read():
            chunks.append(chunk)
        return b"".join(chunks)

    async def drain(self) -> None:
        """Reads what follows a complete answer, for a moment: only then is the connection used again."""
        with suppress(aiohttp.ClientError, OSError):
            async with asyncio.timeout(_DRAIN_SECONDS):
                while await self._content.readany():
                    pass

    def close(self) -> None:
        """Closes the connection, unless all of the body has been read."""
        self._timer.cancel()
        self._response.close()

    def _look(self) -> None:
        if self._due() > self._loop.time():
            self._timer = self._loop.call_at(self._next_look(), self._look)
        else:
            self._expired = True
            self._response.close()

    def _next_look(self) -> float:
        return min(self._due(), self._loop.time() + self._limits.idle)

    def _due(self) -> float:
        limits = self._limits
        if not self._answer.began:
            return limits.first_piece_at
        if self._reading_since is None:
            return limits.over_at
        return min(self._reading_since + limits.idle, limits.over_at)
