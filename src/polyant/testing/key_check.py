"""Contract of the port KeyCheck."""

import asyncio

import pytest

from polyant.domain.errors import StorageUnavailableError
from polyant.domain.ports.key_check import KeyCheck


class KeyCheckContract:
    """What every KeyCheck does; a subclass gives an empty one, and one whose store doesn't answer."""

    @pytest.fixture
    def key_check(self) -> KeyCheck:
        raise NotImplementedError("return a KeyCheck that keeps nothing yet")

    @pytest.fixture
    def unavailable(self) -> KeyCheck:
        raise NotImplementedError("return a KeyCheck whose store doesn't answer, or skip if it always does")

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

    async def test_read_says_when_the_store_does_not_answer(self, unavailable: KeyCheck) -> None:
        with pytest.raises(StorageUnavailableError):
            await unavailable.read()

    async def test_keep_says_when_the_store_does_not_answer(self, unavailable: KeyCheck) -> None:
        with pytest.raises(StorageUnavailableError):
            await unavailable.keep("value")
