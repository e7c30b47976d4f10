"""The contract of the port KeyCheck."""

import asyncio
from typing import ClassVar

import msgspec
import pytest

from polyant.domain.errors import StorageUnavailableError
from polyant.domain.ports.key_check import KeyCheck
from polyant.testing.contract import Contract, proves, requires


class KeyCheckCapabilities(msgspec.Struct, frozen=True, kw_only=True):
    """The capabilities of a KeyCheck."""

    shared: bool = True
    """Several processes share the store. False for a store in the memory of one process."""


class KeyCheckContract(Contract):
    """The tests that every KeyCheck must pass; subclasses provide an empty one, and another one with its store."""

    capabilities: ClassVar[KeyCheckCapabilities] = KeyCheckCapabilities()

    @pytest.fixture
    def key_check(self) -> KeyCheck:
        raise NotImplementedError("return a KeyCheck without a stored value")

    @pytest.fixture
    def other(self) -> KeyCheck:
        raise NotImplementedError("return a KeyCheck with the store of `key_check`, as in another process")

    def test_implements_the_port(self, key_check: KeyCheck) -> None:
        assert isinstance(key_check, KeyCheck)

    @proves("Returns the stored value, or None if there is none yet.")
    async def test_read_returns_none_initially(self, key_check: KeyCheck) -> None:
        assert await key_check.read() is None

    @proves(
        "Returns the stored value, or None if there is none yet.",
        "Atomically stores the value unless one is already stored, and returns the stored value.",
    )
    async def test_keep_stores_value(self, key_check: KeyCheck) -> None:
        assert await key_check.keep("first") == "first"
        assert await key_check.read() == "first"

    @proves("Atomically stores the value unless one is already stored, and returns the stored value.")
    @pytest.mark.parametrize("value", ["x" * 4_096, "v1.0a.AbC_-9==", " two\nlines ", "é🗝\"'%_\\"])
    async def test_value_is_stored_unchanged(self, key_check: KeyCheck, value: str) -> None:
        assert await key_check.keep(value) == value
        assert await key_check.read() == value
        assert await key_check.replace(value, f"{value}.")
        assert await key_check.read() == f"{value}."

    @proves("Atomically stores the value unless one is already stored, and returns the stored value.")
    async def test_keep_does_not_replace_stored_value(self, key_check: KeyCheck) -> None:
        await key_check.keep("first")
        assert await key_check.keep("second") == "first"
        assert await key_check.read() == "first"

    @proves("Atomically stores the value unless one is already stored, and returns the stored value.")
    async def test_concurrent_keeps_return_the_same_value(self, key_check: KeyCheck) -> None:
        results = await asyncio.gather(*(key_check.keep(f"value {number}") for number in range(20)))
        assert set(results) == {await key_check.read()}

    @proves("Atomically replaces `expected` with the value, and returns whether `expected` was the stored value.")
    async def test_replace_replaces_expected_value(self, key_check: KeyCheck) -> None:
        await key_check.keep("first")
        assert await key_check.replace("first", "second")
        assert await key_check.read() == "second"
        assert await key_check.keep("third") == "second"

    @proves("If another value or none is stored, nothing changes.")
    @pytest.mark.parametrize("expected", ["zeroth", "First", "first ", " first", "firs", "first1", "fi%", "", "next"])
    async def test_replace_keeps_unexpected_value(self, key_check: KeyCheck, expected: str) -> None:
        await key_check.keep("first")
        assert not await key_check.replace(expected, "next")
        assert await key_check.read() == "first"

    @proves("Atomically replaces `expected` with the value, and returns whether `expected` was the stored value.")
    async def test_replaced_value_is_no_longer_expected(self, key_check: KeyCheck) -> None:
        await key_check.keep("first")
        assert await key_check.replace("first", "second")
        assert not await key_check.replace("first", "third")
        assert await key_check.replace("second", "second")
        assert await key_check.read() == "second"

    @proves("If another value or none is stored, nothing changes.")
    async def test_replace_without_stored_value_stores_nothing(self, key_check: KeyCheck) -> None:
        assert not await key_check.replace("first", "second")
        assert await key_check.read() is None

    @proves("Of several concurrent calls that expect the same value, exactly one succeeds.")
    async def test_exactly_one_of_concurrent_replaces_succeeds(self, key_check: KeyCheck) -> None:
        await key_check.keep("first")
        values = [f"value {number}" for number in range(20)]
        replaced = await asyncio.gather(*(key_check.replace("first", value) for value in values))
        assert replaced.count(True) == 1
        assert await key_check.read() == values[replaced.index(True)]

    @requires("shared")
    @proves("Atomically stores the value unless one is already stored, and returns the stored value.")
    async def test_concurrent_keeps_of_several_processes_return_the_same_value(
        self, key_check: KeyCheck, other: KeyCheck
    ) -> None:
        results = await asyncio.gather(*(each.keep(f"value {at}") for at in range(10) for each in (key_check, other)))
        assert set(results) == {await key_check.read()} == {await other.read()}

    @requires("shared")
    @proves("Of several concurrent calls that expect the same value, exactly one succeeds.")
    async def test_exactly_one_of_concurrent_replaces_of_several_processes_succeeds(
        self, key_check: KeyCheck, other: KeyCheck
    ) -> None:
        await key_check.keep("first")
        assert await other.read() == "first"
        calls = [(each, f"value {at}") for at, each in enumerate([key_check, other] * 10)]
        replaced = await asyncio.gather(*(each.replace("first", value) for each, value in calls))
        assert replaced.count(True) == 1
        assert await key_check.read() == await other.read() == calls[replaced.index(True)][1]


class KeyCheckOutageContract(Contract):
    """The additional tests for a KeyCheck whose store can fail; subclasses provide one with an unavailable store."""

    @pytest.fixture
    def unavailable(self) -> KeyCheck:
        raise NotImplementedError("return a KeyCheck whose store is unavailable")

    @proves("StorageUnavailableError: The store is unavailable.")
    async def test_read_reports_unavailable_store(self, unavailable: KeyCheck) -> None:
        with pytest.raises(StorageUnavailableError):
            await unavailable.read()

    @proves("StorageUnavailableError: The store is unavailable.")
    async def test_keep_reports_unavailable_store(self, unavailable: KeyCheck) -> None:
        with pytest.raises(StorageUnavailableError):
            await unavailable.keep("value")

    @proves("StorageUnavailableError: The store is unavailable.")
    async def test_replace_reports_unavailable_store(self, unavailable: KeyCheck) -> None:
        with pytest.raises(StorageUnavailableError):
            await unavailable.replace("value", "another")
