"""Rate limiters that each break one promise."""

import asyncio
import unicodedata
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import ClassVar
from weakref import WeakKeyDictionary

import msgspec
import pytest

from polyant.adapters.memory.rate_limiter import MemoryRateLimiter
from polyant.domain.limits import LimitState, RateLimit
from polyant.domain.ports.rate_limiter import RateLimiter
from polyant.testing.manual_clock import ManualClock
from polyant.testing.rate_limiter import ClockedLimiterRig, LimiterCapabilities, RateLimiterContract, SharedLimiterRig


class MemoryContract(RateLimiterContract):
    capabilities = LimiterCapabilities(shared=False)
    limiter: type[MemoryRateLimiter]

    @pytest.fixture
    def rig(self) -> ClockedLimiterRig:
        clock = ManualClock()
        limiter = self.limiter(clock=clock)
        return ClockedLimiterRig(limiter, clock, lambda: limiter.held_keys)


class TestSharedWithoutOpener(MemoryContract):
    """Claims to be shared, and doesn't show it."""

    capabilities = LimiterCapabilities()
    limiter = MemoryRateLimiter


class CapsLargeLimits(MemoryRateLimiter):
    async def hit(self, key: str, limit: RateLimit) -> LimitState:
        if limit.requests > 10:
            return LimitState.unused(limit)
        return await super().hit(key, limit)


class TestLargeLimitsUnlimited(MemoryContract):
    limiter = CapsLargeLimits


class KeyedLimiter(MemoryRateLimiter):
    """Confuses some keys."""

    def stored(self, key: str) -> str:
        raise NotImplementedError

    async def hit(self, key: str, limit: RateLimit) -> LimitState:
        return await super().hit(self.stored(key), limit)

    async def peek(self, key: str, limit: RateLimit) -> LimitState:
        return await super().peek(self.stored(key), limit)


class FoldsCase(KeyedLimiter):
    def stored(self, key: str) -> str:
        return key.casefold()


class FoldsUnicode(KeyedLimiter):
    def stored(self, key: str) -> str:
        return unicodedata.normalize("NFC", key)


class TruncatesKeys(KeyedLimiter):
    def stored(self, key: str) -> str:
        return key[:64]


class StripsKeys(KeyedLimiter):
    def stored(self, key: str) -> str:
        return key.strip()


class TestCaseFolded(MemoryContract):
    limiter = FoldsCase


class TestUnicodeFolded(MemoryContract):
    limiter = FoldsUnicode


class TestKeysTruncated(MemoryContract):
    limiter = TruncatesKeys


class TestKeysStripped(MemoryContract):
    limiter = StripsKeys


class ForgetsAfterTenSeconds(MemoryRateLimiter):
    async def hit(self, key: str, limit: RateLimit) -> LimitState:
        now = self._clock.monotonic()
        for logs in self._windows.values():
            for name in [name for name, hits in logs.items() if now - hits[-1] > 10]:
                del logs[name]
        return await super().hit(key, limit)


class TestForgottenAfterTenSeconds(MemoryContract):
    limiter = ForgetsAfterTenSeconds


class FileLimiter(RateLimiter):
    """Reads the log from a file and writes it back, under a lock that only this process has."""

    _locks: ClassVar[WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock]] = WeakKeyDictionary()

    def __init__(self, path: Path, clock: ManualClock) -> None:
        self._path = path
        self._clock = clock
        self._lock = self._locks.setdefault(asyncio.get_event_loop(), asyncio.Lock())

    async def hit(self, key: str, limit: RateLimit) -> LimitState:
        async with self._lock:
            return await self._state(key, limit, counts=True)

    async def peek(self, key: str, limit: RateLimit) -> LimitState:
        return await self._state(key, limit, counts=False)

    async def held_keys(self) -> int:
        return len(self._logs())

    async def _state(self, key: str, limit: RateLimit, *, counts: bool) -> LimitState:
        now, logs = self._clock.monotonic(), self._logs()
        hits = [hit for hit, _ in logs.get(key, ()) if now - hit < limit.seconds]
        allowed = len(hits) < limit.requests
        if allowed and counts:
            await asyncio.sleep(0.02)  # so that the other process reads the same log
            hits.append(now)
            self._write({**logs, key: [(hit, hit + limit.seconds) for hit in hits]})
        if not hits:
            return LimitState.unused(limit)
        blocking = hits[max(0, len(hits) - limit.requests)]
        return LimitState.of_window(limit, len(hits), blocking=now - blocking, newest=now - hits[-1], allowed=allowed)

    def _logs(self) -> dict[str, list[tuple[float, float]]]:
        text = self._path.read_bytes() if self._path.exists() else b""
        logs = msgspec.json.decode(text or b"{}", type=dict[str, list[tuple[float, float]]])
        now = self._clock.monotonic()
        return {key: log for key, log in logs.items() if log[-1][1] > now}

    def _write(self, logs: dict[str, list[tuple[float, float]]]) -> None:
        new = self._path.with_suffix(f".{id(self)}")
        new.write_bytes(msgspec.json.encode(logs))
        new.replace(self._path)


class LocksEachLimiter(FileLimiter):
    """Has a lock of its own, so that two limiters of one process don't exclude each other either."""

    def __init__(self, path: Path, clock: ManualClock) -> None:
        super().__init__(path, clock)
        self._lock = asyncio.Lock()


@asynccontextmanager
async def open_limiter(limiter: type[FileLimiter], path: Path) -> AsyncIterator[RateLimiter]:
    yield limiter(path, ManualClock())


class FileRig(SharedLimiterRig):
    def __init__(self, limiter: type[FileLimiter], path: Path) -> None:
        self._clock = ManualClock()
        self._file = limiter(path, self._clock)
        self.limiter = self._file
        self.opener = partial(open_limiter, limiter, path)

    async def advance(self, seconds: float) -> None:
        self._clock.advance(seconds)

    async def held_keys(self) -> int:
        return await self._file.held_keys()


class FileContract(RateLimiterContract):
    limiter: type[FileLimiter]

    @pytest.fixture
    async def rig(self, tmp_path: Path) -> FileRig:
        return FileRig(self.limiter, tmp_path / "limits.json")


class TestAtomicOnlyWithinProcess(FileContract):
    limiter = FileLimiter


class TestAtomicOnlyWithinLimiter(FileContract):
    limiter = LocksEachLimiter
