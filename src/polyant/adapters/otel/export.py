"""Sends encoded spans to a collector, in batches."""

import asyncio
import gzip
import itertools
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence

import aiohttp

from polyant.adapters.otel.endpoint import Endpoint

log = logging.getLogger("polyant.turn")

MAX_WAITING = 10_000
"""The number of spans that wait for the collector at most; older ones are dropped."""

MAX_WAITING_BYTES = 32 * 1_048_576
"""The size of the spans that wait at most: spans with text are large."""

_INTERVAL_SECONDS = 1.0
_BATCH = 512
_BATCH_BYTES = 2 * 1_048_576
"""Collectors accept 4 MiB or more; the last span of a batch may exceed this."""
_LOG_INTERVAL_SECONDS = 60.0
_SUCCESS = range(200, 300)
_RETRYABLE = frozenset({429, 502, 503, 504})


class SpanExport:
    """Sends what it is given once a second, and keeps it while the collector doesn't respond.

    Args:
        endpoint: The collector.
        encode: Returns a request with the spans of a batch.
    """

    def __init__(self, endpoint: Endpoint, encode: Callable[[Sequence[bytes]], bytes]) -> None:
        self._endpoint = endpoint
        self._encode = encode
        self._waiting = deque[bytes]()
        self._waiting_bytes = 0
        self._task: asyncio.Task[None] | None = None
        self._session: aiohttp.ClientSession | None = None
        self._log_again_at = 0.0

    def add(self, span: bytes) -> None:
        """Queues a span; the oldest ones are dropped when too many wait."""
        self._waiting_bytes += len(span)
        while self._waiting and (len(self._waiting) >= MAX_WAITING or self._waiting_bytes > MAX_WAITING_BYTES):
            self._take()
            self._warn("the collector is too slow: spans are dropped")
        self._waiting.append(span)
        if self._task is None:
            self._task = asyncio.create_task(self._run())

    async def close(self, *, seconds: float) -> None:
        """Sends the waiting spans, for up to that many seconds, and closes the connection."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        try:
            async with asyncio.timeout(seconds):
                while self._waiting and await self._send():
                    pass
        except TimeoutError:
            self._warn("the collector does not respond: spans are lost")
        if self._session is not None:
            await self._session.close()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(_INTERVAL_SECONDS)
            while self._waiting and await self._send():
                pass

    async def _send(self) -> bool:
        """Sends one batch; returns whether it is off the queue, because it was accepted or can't be."""
        batch = self._batch()
        body = self._encode(batch)
        headers = {"Content-Type": "application/x-protobuf", **self._endpoint.headers}
        if self._endpoint.compressed:
            body, headers["Content-Encoding"] = gzip.compress(body, 6), "gzip"
        status = await self._post(body, headers)
        if status is None or status in _RETRYABLE:
            self._warn(f"spans can't be exported: {'no connection' if status is None else status}")
            return False
        if status not in _SUCCESS:
            self._warn(f"the collector refuses spans: {status}")
        for span in batch:
            if self._waiting and self._waiting[0] is span:  # those dropped meanwhile are gone
                self._take()
        return True

    def _batch(self) -> list[bytes]:
        batch, size = list[bytes](), 0
        for span in itertools.islice(self._waiting, _BATCH):
            batch.append(span)
            size += len(span)
            if size >= _BATCH_BYTES:
                break
        return batch

    def _take(self) -> None:
        """Removes the oldest span from the queue."""
        self._waiting_bytes -= len(self._waiting.popleft())

    async def _post(self, body: bytes, headers: dict[str, str]) -> int | None:
        """Returns the status of the response, or None if there is none."""
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=self._endpoint.seconds)
            self._session = aiohttp.ClientSession(
                timeout=timeout, connector=aiohttp.TCPConnector(ssl=self._endpoint.tls())
            )
        try:
            async with self._session.post(
                self._endpoint.url, data=body, headers=headers, allow_redirects=False
            ) as response:
                return response.status
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
            return None

    def _warn(self, message: str) -> None:
        """Logs at most once a minute."""
        now = time.monotonic()
        if now >= self._log_again_at:
            self._log_again_at = now + _LOG_INTERVAL_SECONDS
            log.warning(message, extra={"fields": {"observer": "otel"}})
