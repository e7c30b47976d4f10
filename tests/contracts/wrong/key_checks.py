"""Stores of the check value that each break one promise."""

import asyncio

import pytest

from polyant.domain.ports.key_check import KeyCheck
from polyant.testing.key_check import KeyCheckContract


class Store:
    """The store that the processes share, with one value."""

    value: str | None = None


class StoredKeyCheck(KeyCheck):
    """Is right: nothing interrupts a method."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def read(self) -> str | None:
        return self._store.value

    async def keep(self, sealed: str) -> str:
        if self._store.value is None:
            self._store.value = sealed
        return self._store.value

    async def replace(self, expected: str, sealed: str) -> bool:
        if self._store.value != expected:
            return False
        self._store.value = sealed
        return True


class StoreContract(KeyCheckContract):
    wrong: type[StoredKeyCheck]

    @pytest.fixture
    def store(self) -> Store:
        return Store()

    @pytest.fixture
    def key_check(self, store: Store) -> StoredKeyCheck:
        return self.wrong(store)

    @pytest.fixture
    def other(self, store: Store) -> StoredKeyCheck:
        return self.wrong(store)


class TestRight(StoreContract):
    wrong = StoredKeyCheck


class EmptyAtFirst(StoredKeyCheck):
    async def read(self) -> str | None:
        return self._store.value or ""


class TestNothingReadAsEmpty(StoreContract):
    wrong = EmptyAtFirst


class Overwrites(StoredKeyCheck):
    """Stores the last value."""

    async def keep(self, sealed: str) -> str:
        self._store.value = sealed
        return sealed


class TestValueOverwritten(StoreContract):
    wrong = Overwrites


class ReturnsItsOwn(StoredKeyCheck):
    """Returns the value of the caller, stored or not."""

    async def keep(self, sealed: str) -> str:
        await super().keep(sealed)
        return sealed


class TestOwnValueReturned(StoreContract):
    wrong = ReturnsItsOwn


class ChecksThenKeeps(StoredKeyCheck):
    """Reads in one query, and writes in the next."""

    async def keep(self, sealed: str) -> str:
        found = self._store.value
        await asyncio.sleep(0)
        self._store.value = found or sealed
        return self._store.value


class TestKeepNotAtomic(StoreContract):
    wrong = ChecksThenKeeps


class ChecksThenReplaces(StoredKeyCheck):
    async def replace(self, expected: str, sealed: str) -> bool:
        if self._store.value != expected:
            return False
        await asyncio.sleep(0)
        self._store.value = sealed
        return True


class TestReplaceNotAtomic(StoreContract):
    wrong = ChecksThenReplaces


class Locks(ChecksThenKeeps, ChecksThenReplaces):
    """Has a lock, which other processes don't see."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._lock = asyncio.Lock()

    async def keep(self, sealed: str) -> str:
        async with self._lock:
            return await super().keep(sealed)

    async def replace(self, expected: str, sealed: str) -> bool:
        async with self._lock:
            return await super().replace(expected, sealed)


class TestLockOfOneProcess(StoreContract):
    wrong = Locks


class Caches(StoredKeyCheck):
    """Reads the store once, and then sees its own changes only."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._known: str | None = None

    async def read(self) -> str | None:
        self._known = self._known or await super().read()
        return self._known

    async def keep(self, sealed: str) -> str:
        self._known = await super().keep(sealed)
        return self._known

    async def replace(self, expected: str, sealed: str) -> bool:
        is_replaced = await super().replace(expected, sealed)
        self._known = sealed if is_replaced else self._known
        return is_replaced


class TestReadOnce(StoreContract):
    wrong = Caches


class ReplacesAnything(StoredKeyCheck):
    async def replace(self, expected: str, sealed: str) -> bool:
        self._store.value = sealed
        return True


class TestAnythingReplaced(StoreContract):
    wrong = ReplacesAnything


class ReplacesNothing(StoredKeyCheck):
    """Inserts the value if there is none."""

    async def replace(self, expected: str, sealed: str) -> bool:
        self._store.value = self._store.value or expected
        return await super().replace(expected, sealed)


class TestNothingReplaced(StoreContract):
    wrong = ReplacesNothing


class ReportsSuccess(StoredKeyCheck):
    """Returns true because no error was raised."""

    async def replace(self, expected: str, sealed: str) -> bool:
        await super().replace(expected, sealed)
        return True


class TestSuccessReported(StoreContract):
    wrong = ReportsSuccess


class CountsChangedRows(StoredKeyCheck):
    """Counts the rows that changed, as MySQL does, instead of those that were found."""

    async def replace(self, expected: str, sealed: str) -> bool:
        return await super().replace(expected, sealed) and expected != sealed


class TestUnchangedValueNotFound(StoreContract):
    wrong = CountsChangedRows


class ComparesFolded(StoredKeyCheck):
    """Compares with a collation that ignores case and the spaces at the end."""

    async def replace(self, expected: str, sealed: str) -> bool:
        stored = self._store.value
        if stored is None or stored.casefold().rstrip() != expected.casefold().rstrip():
            return False
        return await super().replace(stored, sealed)


class TestComparedFolded(StoreContract):
    wrong = ComparesFolded


class ComparesBeginning(StoredKeyCheck):
    """Compares the length of the expected value only."""

    async def replace(self, expected: str, sealed: str) -> bool:
        stored = self._store.value
        return stored is not None and stored.startswith(expected) and await super().replace(stored, sealed)


class TestComparedByBeginning(StoreContract):
    wrong = ComparesBeginning


class Truncates(StoredKeyCheck):
    """Has a column of 255 characters."""

    async def keep(self, sealed: str) -> str:
        return await super().keep(sealed[:255])


class TestValueTruncated(StoreContract):
    wrong = Truncates


class Strips(StoredKeyCheck):
    """Keeps the value in a file, whose last line break it removes."""

    async def read(self) -> str | None:
        return self._store.value and self._store.value.strip()


class TestValueStripped(StoreContract):
    wrong = Strips
