import pytest

from polyant.adapters.crypto.secret_cipher import AesGcmSecretCipher
from polyant.adapters.memory.key_check import MemoryKeyCheck
from polyant.domain.secrets import SecretText
from polyant.domain.use_cases.check_master_key import CheckMasterKey, WrongMasterKeyError


@pytest.fixture
def key_check() -> MemoryKeyCheck:
    return MemoryKeyCheck()


def checking(key_check: MemoryKeyCheck, *digits: str) -> CheckMasterKey:
    keys = [SecretText(digit * 64) for digit in digits]
    return CheckMasterKey(cipher=AesGcmSecretCipher(master_keys=keys), key_check=key_check)


async def test_any_key_fits_a_new_store_and_verifying_changes_nothing(key_check: MemoryKeyCheck) -> None:
    await checking(key_check, "a").verify()
    assert await key_check.read() is None


async def test_key_that_was_kept_first_is_the_only_one_that_fits(key_check: MemoryKeyCheck) -> None:
    await checking(key_check, "a").keep()
    kept = await key_check.read()
    await checking(key_check, "a").verify()
    await checking(key_check, "a").keep()
    with pytest.raises(WrongMasterKeyError, match="ENCRYPTION_KEY is not the key"):
        await checking(key_check, "b").verify()
    with pytest.raises(WrongMasterKeyError):
        await checking(key_check, "b").keep()
    assert await key_check.read() == kept
    assert kept is not None


async def test_new_key_fits_together_with_the_one_before(key_check: MemoryKeyCheck) -> None:
    await checking(key_check, "a").keep()
    await checking(key_check, "b", "a").verify()
