import pytest

from polyant.adapters.crypto.secret_cipher import AesGcmSecretCipher
from polyant.adapters.memory.key_check import MemoryKeyCheck
from polyant.domain.ports.key_check import KeyCheck
from polyant.domain.secrets import SecretText
from polyant.domain.use_cases.check_master_key import (
    CheckMasterKey,
    OlderMasterKeyMissingError,
    WrongMasterKeyError,
)


class RacedKeyCheck(KeyCheck):
    """A key check in which a concurrent rotation starts just before the next replacement."""

    def __init__(self, inner: KeyCheck, other: CheckMasterKey) -> None:
        self.races = 1
        self._inner = inner
        self._other = other

    async def read(self) -> str | None:
        return await self._inner.read()

    async def keep(self, sealed: str) -> str:
        return await self._inner.keep(sealed)

    async def replace(self, expected: str, sealed: str) -> bool:
        if self.races:
            self.races -= 1
            await self._other.begin_change()
        return await self._inner.replace(expected, sealed)


@pytest.fixture
def key_check() -> MemoryKeyCheck:
    return MemoryKeyCheck()


def checking(key_check: KeyCheck, *digits: str) -> CheckMasterKey:
    keys = [SecretText(digit * 64) for digit in digits]
    return CheckMasterKey(cipher=AesGcmSecretCipher(master_keys=keys), key_check=key_check)


async def test_any_key_fits_a_new_store_and_verifying_changes_nothing(key_check: MemoryKeyCheck) -> None:
    await checking(key_check, "a").verify()
    assert await key_check.read() is None


async def test_first_stored_key_is_the_only_one_that_fits(key_check: MemoryKeyCheck) -> None:
    await checking(key_check, "a").keep()
    kept = await key_check.read()
    await checking(key_check, "a").verify()
    await checking(key_check, "a").keep()
    with pytest.raises(WrongMasterKeyError, match="The master key is not the key"):
        await checking(key_check, "b").verify()
    with pytest.raises(WrongMasterKeyError):
        await checking(key_check, "b").keep()
    assert await key_check.read() == kept
    assert kept is not None


async def test_new_key_fits_together_with_the_previous_one(key_check: MemoryKeyCheck) -> None:
    await checking(key_check, "a").keep()
    await checking(key_check, "b", "a").verify()


async def test_both_keys_are_required_during_a_rotation(key_check: MemoryKeyCheck) -> None:
    await checking(key_check, "a").keep()
    await checking(key_check, "b", "a").begin_change()
    await checking(key_check, "b", "a").verify()
    await checking(key_check, "a", "b").verify()
    with pytest.raises(WrongMasterKeyError):
        await checking(key_check, "a").verify()
    with pytest.raises(OlderMasterKeyMissingError) as caught:
        await checking(key_check, "b").verify()
    assert "Set ENCRYPTION_KEY_PREVIOUS to the previous key" in caught.value.explanation


async def test_new_key_is_enough_after_a_rotation(key_check: MemoryKeyCheck) -> None:
    await checking(key_check, "a").keep()
    await checking(key_check, "b", "a").begin_change()
    await checking(key_check, "b", "a").end_change()
    await checking(key_check, "b").verify()
    with pytest.raises(WrongMasterKeyError):
        await checking(key_check, "a").verify()


async def test_store_is_settled_if_it_needs_only_the_current_key(key_check: MemoryKeyCheck) -> None:
    assert await checking(key_check, "a").is_settled()
    assert await key_check.read() is None
    await checking(key_check, "a").keep()
    assert await checking(key_check, "a").is_settled()
    changing = checking(key_check, "b", "a")
    assert not await changing.is_settled()
    await changing.begin_change()
    assert not await changing.is_settled()
    await changing.end_change()
    assert await changing.is_settled()


async def test_completed_step_changes_nothing(key_check: MemoryKeyCheck) -> None:
    await checking(key_check, "a").keep()
    changing = checking(key_check, "b", "a")
    for step in (changing.begin_change, changing.end_change):
        await step()
        kept = await key_check.read()
        await step()
        assert await key_check.read() == kept


@pytest.mark.parametrize("step", ["begin_change", "end_change"])
async def test_step_that_lost_a_race_continues_from_the_new_state(key_check: MemoryKeyCheck, step: str) -> None:
    await checking(key_check, "a").keep()
    raced = RacedKeyCheck(key_check, checking(key_check, "b", "a"))
    await getattr(checking(raced, "c", "b", "a"), step)()
    assert raced.races == 0
    await checking(key_check, "c", "b", "a").verify()
    with pytest.raises(WrongMasterKeyError):
        await checking(key_check, "b", "a").verify()


async def test_keys_that_do_not_fit_change_nothing(key_check: MemoryKeyCheck) -> None:
    await checking(key_check, "a").keep()
    kept = await key_check.read()
    for step in (checking(key_check, "b").begin_change, checking(key_check, "b").end_change):
        with pytest.raises(WrongMasterKeyError):
            await step()
    assert await key_check.read() == kept
