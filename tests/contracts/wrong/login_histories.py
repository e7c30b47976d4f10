"""Login histories that each break one promise."""

import asyncio
from collections.abc import Collection
from datetime import UTC, datetime, timedelta

import pytest

from polyant.adapters.memory.login_history import MemoryLoginHistory
from polyant.testing.login_history import LoginHistoryContract


class HistoryContract(LoginHistoryContract):
    made: type[MemoryLoginHistory]

    @pytest.fixture
    def login_history(self) -> MemoryLoginHistory:
        return self.made()


class TestRight(HistoryContract):
    made = MemoryLoginHistory


class KeepsFirstTime(MemoryLoginHistory):
    """Ignores a login that it remembers already."""

    async def add(self, fingerprint: str, *, now: datetime, expires_at: datetime) -> None:
        end = self._ends.get(fingerprint)
        await super().add(fingerprint, now=now, expires_at=expires_at if end is None or end <= now else end)


class TestFirstTimeKept(HistoryContract):
    made = KeepsFirstTime


class NeverRemoves(MemoryLoginHistory):
    """Only hides expired logins."""

    async def add(self, fingerprint: str, *, now: datetime, expires_at: datetime) -> None:
        self._ends[fingerprint] = expires_at


class TestExpiredLoginsKept(HistoryContract):
    made = NeverRemoves


class RemovesTooMany(MemoryLoginHistory):
    """Removes logins that expire on the same day."""

    async def add(self, fingerprint: str, *, now: datetime, expires_at: datetime) -> None:
        await super().add(fingerprint, now=now + timedelta(hours=12), expires_at=expires_at)


class TestLoginsRemovedEarly(HistoryContract):
    made = RemovesTooMany


class IncludesExpiry(MemoryLoginHistory):
    async def contains(self, fingerprints: Collection[str], *, now: datetime) -> bool:
        return any(now <= self._ends[known] for known in fingerprints if known in self._ends)


class TestExpiryIncluded(HistoryContract):
    made = IncludesExpiry


class ForgetsSeconds(MemoryLoginHistory):
    """Stores times in whole seconds."""

    async def add(self, fingerprint: str, *, now: datetime, expires_at: datetime) -> None:
        await super().add(fingerprint, now=now.replace(microsecond=0), expires_at=expires_at.replace(microsecond=0))

    async def contains(self, fingerprints: Collection[str], *, now: datetime) -> bool:
        return await super().contains(fingerprints, now=now.replace(microsecond=0))


class TestTimesTruncated(HistoryContract):
    made = ForgetsSeconds


class IgnoresZones(MemoryLoginHistory):
    """Stores the digits of times without their time zone."""

    async def add(self, fingerprint: str, *, now: datetime, expires_at: datetime) -> None:
        await super().add(fingerprint, now=now, expires_at=expires_at.replace(tzinfo=UTC))


class TestTimeZonesIgnored(HistoryContract):
    made = IgnoresZones


class NeedsAll(MemoryLoginHistory):
    async def contains(self, fingerprints: Collection[str], *, now: datetime) -> bool:
        return all([await super(NeedsAll, self).contains([each], now=now) for each in fingerprints])


class TestAllNeeded(HistoryContract):
    made = NeedsAll


class FoldsCase(MemoryLoginHistory):
    async def add(self, fingerprint: str, *, now: datetime, expires_at: datetime) -> None:
        await super().add(fingerprint.casefold(), now=now, expires_at=expires_at)

    async def contains(self, fingerprints: Collection[str], *, now: datetime) -> bool:
        return await super().contains([each.casefold() for each in fingerprints], now=now)


class TestFingerprintsFolded(HistoryContract):
    made = FoldsCase


class KeepsBeginnings(MemoryLoginHistory):
    """Keeps the first 32 characters, which a column has room for."""

    async def add(self, fingerprint: str, *, now: datetime, expires_at: datetime) -> None:
        await super().add(fingerprint[:32], now=now, expires_at=expires_at)

    async def contains(self, fingerprints: Collection[str], *, now: datetime) -> bool:
        return await super().contains([each[:32] for each in fingerprints], now=now)


class TestFingerprintsTruncated(HistoryContract):
    made = KeepsBeginnings


class KeepsNewest(MemoryLoginHistory):
    """Keeps one login."""

    async def add(self, fingerprint: str, *, now: datetime, expires_at: datetime) -> None:
        self._ends = {}
        await super().add(fingerprint, now=now, expires_at=expires_at)


class TestOneLoginKept(HistoryContract):
    made = KeepsNewest


class WritesWhatItRead(MemoryLoginHistory):
    """Reads all logins in one query, and writes them in the next."""

    async def add(self, fingerprint: str, *, now: datetime, expires_at: datetime) -> None:
        read = {known: end for known, end in self._ends.items() if end > now}
        await asyncio.sleep(0)
        self._ends = {**read, fingerprint: expires_at}


class TestConcurrentLoginsLost(HistoryContract):
    made = WritesWhatItRead


class FindsAnythingForNothing(MemoryLoginHistory):
    """Makes no condition of an empty collection."""

    async def contains(self, fingerprints: Collection[str], *, now: datetime) -> bool:
        return await super().contains(fingerprints or self._ends, now=now)


class TestEmptyCollectionMatches(HistoryContract):
    made = FindsAnythingForNothing
