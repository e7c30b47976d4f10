"""Contract of the port KeyCheck."""

import asyncio

import pytest

from polyant.domain.errors import StorageUnavailableError
from polyant.domain.ports.key_check import KeyCheck


class KeyCheckContract:
    """What every KeyCheck does; a subclass gives an empty one."""

    @pytest.fixture
    def key_check(self) -> KeyCheck:
        raise NotImplementedError("return a KeyCheck that keeps nothing yet")

    def test_it_has_the_shape_of_the_port(self, key_check: KeyCheck) -> None:
        assert isinstance(key_check, KeyCheck)

    async def test_nothing_is_kept_at_first(self, key_check: KeyCheck) -> None:
        assert await key_check.read() is None

    async def test_a_value_is_kept(self, key_check: KeyCheck) -> None:
        assert await key_check.keep("first") == "first"
        assert await key_check.read() == "first"

    async def test_the_value_kept_first_stays(self, key_check: KeyCheck) -> None:
        await key_check.keep("first")
        assert await key_check.keep("second") == "first"
        assert await key_check.read() == "first"

    async def test_all_who_keep_at_once_get_the_one_value_that_is_kept(self, key_check: KeyCheck) -> None:
        answers = await asyncio.gather(*(key_check.keep(f"value {number}") for number in range(20)))
        assert set(answers) == {await key_check.read()}

    async def test_the_value_expected_is_replaced(self, key_check: KeyCheck) -> None:
        await key_check.keep("first")
        assert await key_check.replace("first", "second")
        assert await key_check.read() == "second"
        assert await key_check.keep("third") == "second"

    async def test_another_value_than_the_one_expected_stays(self, key_check: KeyCheck) -> None:
        await key_check.keep("first")
        assert not await key_check.replace("zeroth", "second")
        assert await key_check.read() == "first"

    async def test_where_nothing_is_kept_nothing_is_replaced(self, key_check: KeyCheck) -> None:
        assert not await key_check.replace("first", "second")
        assert await key_check.read() is None

    async def test_of_all_who_replace_one_value_at_once_one_succeeds(self, key_check: KeyCheck) -> None:
        await key_check.keep("first")
        values = [f"value {number}" for number in range(20)]
        replaced = await asyncio.gather(*(key_check.replace("first", value) for value in values))
        assert replaced.count(True) == 1
        assert await key_check.read() == values[replaced.index(True)]


class KeyCheckOutageContract:
    """What a KeyCheck whose store can fail does besides; a subclass gives one whose store doesn't answer."""

    @pytest.fixture
    def unavailable(self) -> KeyCheck:
        raise NotImplementedError("return a KeyCheck whose store doesn't answer")

    async def test_read_says_when_the_store_does_not_answer(self, unavailable: KeyCheck) -> None:
        with pytest.raises(StorageUnavailableError):
            await unavailable.read()

    async def test_keep_says_when_the_store_does_not_answer(self, unavailable: KeyCheck) -> None:
        with pytest.raises(StorageUnavailableError):
            await unavailable.keep("value")

    async def test_replace_says_when_the_store_does_not_answer(self, unavailable: KeyCheck) -> None:
        with pytest.raises(StorageUnavailableError):
            await unavailable.replace("value", "another")
