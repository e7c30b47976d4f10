"""The load generator: `python -m bench.load` reads jobs from standard input and writes results to standard output."""

import asyncio
import resource
import sys
import time
from collections import Counter
from itertools import cycle
from random import SystemRandom
from typing import cast

import msgspec
import uvloop

from bench.held_stream import END_OF_CHUNKS, HeldStream
from bench.jobs import Held, Hold, Job, Line, Load, Outcome, Ready, Release, Times
from bench.requests import requests_of

_DELTA = b'oken "'
_OVERLAP = max(len(_DELTA), len(END_OF_CHUNKS))
"""Bytes of one chunk that are searched again together with the next one."""
_PATIENCE = 120
_RANDOM = SystemRandom()


class Run:
    """The state that the connections of one load share: the requests to send and the counts."""

    def __init__(self, job: Load) -> None:
        self.job = job
        requests = requests_of(job)
        _RANDOM.shuffle(requests)
        self.requests = cycle(requests)
        self.begin(warming=True)

    def begin(self, *, warming: bool = False) -> None:
        """Resets the counts and starts the measurement, or the warm-up."""
        self.is_warming = warming
        self.first_byte: list[float] = []
        self.gaps: list[float] = []
        self.statuses: Counter[str] = Counter()
        self.failures = self.deltas = self.sent = 0
        self.started = time.perf_counter()

    def next_request(self) -> bytes | None:
        """Returns the next request to send; None if the load is over."""
        job = self.job
        if self.sent >= job.requests if job.requests else time.perf_counter() - self.started >= job.seconds:
            return None
        self.sent += 1
        return next(self.requests)

    def outcome(self) -> Outcome:
        """Returns the result of the load."""
        return Outcome(
            requests=self.sent,
            failures=self.failures + self.sent - self.statuses.total(),
            statuses=dict(self.statuses),
            deltas=self.deltas,
            seconds=time.perf_counter() - self.started,
            first_byte=_times(self.first_byte),
            gaps=_times(self.gaps),
        )


class Connection(asyncio.Protocol):
    """One connection that sends one request after another."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._arrived = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._end()

    async def warm(self) -> None:
        """Sends one request that isn't counted, and returns after its response."""
        self._send(next(self._run.requests))
        await self._done

    async def work(self) -> None:
        """Sends requests until the load is over, then closes the connection."""
        self._done = asyncio.get_running_loop().create_future()
        self._send_next()
        await self._done
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        if self._awaits_head:
            self._read_head(data, now)
            return
        self._run.gaps.append(now - self._arrived)
        self._arrived = now
        self._read_body(data)

    def _send(self, request: bytes) -> None:
        self._awaits_head = True
        self._rest = b""
        self._deltas = 0
        self._asked = time.perf_counter()
        self._transport.write(request)

    def _read_head(self, data: bytes, now: float) -> None:
        head, found, body = (self._rest + data).partition(b"\r\n\r\n")
        if not found:
            self._rest += data
            return
        self._run.first_byte.append(now - self._asked)
        self._arrived = now
        self._awaits_head = False
        self._rest = b""
        self._status = head[9:12].decode()
        length = head.lower().partition(b"content-length:")[2]
        self._left = int(length.split(b"\r\n", 1)[0]) if length else -1
        self._read_body(body)

    def _read_body(self, data: bytes) -> None:
        if self._left >= 0:
            self._left -= len(data)
            if self._left == 0:
                self._end_response()
            return
        text = self._rest + data
        self._deltas += text.count(_DELTA) - self._rest.count(_DELTA)
        self._rest = text[-_OVERLAP:]
        if self._rest.endswith(END_OF_CHUNKS):
            self._end_response()

    def _end_response(self) -> None:
        run = self._run
        run.statuses[self._status] += 1
        run.deltas += self._deltas
        is_incomplete = run.job.deltas and self._deltas != run.job.deltas
        run.failures += self._status != "200" or bool(is_incomplete)
        if run.is_warming:
            self._end()
        else:
            self._send_next()

    def _send_next(self) -> None:
        request = self._run.next_request()
        if request is None:
            self._end()
        else:
            self._send(request)

    def _end(self) -> None:
        if not self._done.done():
            self._done.set_result(None)


def _times(seconds: list[float]) -> Times | None:
    if not seconds:
        return None
    ordered = sorted(seconds)
    p50, p99, maximum = (ordered[min(len(ordered) - 1, int(len(ordered) * share))] for share in (0.5, 0.99, 1))
    return Times(*(round(1_000 * found, 2) for found in (p50, p99, maximum)))


class Loader:
    """Runs one job after another."""

    def __init__(self, lines: asyncio.StreamReader) -> None:
        self._lines = lines
        self._held: list[HeldStream] = []

    async def work(self) -> None:
        """Runs jobs until standard input ends."""
        decode = msgspec.json.Decoder(Job).decode
        while line := await self._lines.readline():
            match decode(line):
                case Load() as job:
                    _write(await self._load(job))
                case Hold() as job:
                    self._held = [HeldStream(job) for _ in range(job.streams)]
                    async with asyncio.timeout(_PATIENCE):
                        await asyncio.gather(*(stream.has_begun.wait() for stream in self._held))
                    _write(self._count())
                case Release():
                    _write(self._count())
                    await asyncio.gather(*(stream.close() for stream in self._held))
                    self._held = []

    def _count(self) -> Held:
        return Held(sum(stream.is_open for stream in self._held))

    async def _load(self, job: Load) -> Outcome:
        loop = asyncio.get_running_loop()
        run = Run(job)
        async with asyncio.timeout(_PATIENCE):
            connecting = (
                loop.create_connection(lambda: Connection(run), "127.0.0.1", job.port) for _ in range(job.connections)
            )
            connections = [connection for _, connection in await asyncio.gather(*connecting)]
            if job.warm:
                await asyncio.gather(*(connection.warm() for connection in connections))
            _write(Ready())
            await self._lines.readline()
            run.begin()
            await asyncio.gather(*(connection.work() for connection in connections))
        return run.outcome()


def _write(line: Line) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(line) + b"\n")
    sys.stdout.flush()


async def main() -> None:
    max_files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (max_files, max_files))
    lines = asyncio.StreamReader(limit=2**24)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    await Loader(lines).work()


if __name__ == "__main__":
    uvloop.run(main())
