"""The cipher in docs/adapters/ciphers.md, as printed, passes its contract and asks the service only now and then."""

import asyncio
import re
import sys
from types import ModuleType
from typing import Any

import pytest

from examples.environment import ROOT
from polyant.domain.errors import UnavailableError
from polyant.domain.ports.secret_cipher import SecretCipher
from polyant.domain.secrets import SecretAddress, SecretName, SecretText
from polyant.testing.manual_clock import ManualClock
from polyant.testing.secret_cipher import SecretCipherContract

PAGE = (ROOT / "docs" / "adapters" / "ciphers.md").read_text()
KEYS = {name: SecretText(digit * 64) for name, digit in (("first", "1"), ("second", "a"), ("third", "F"))}
ADDRESS = SecretAddress(instance_id="a1" * 16, name=SecretName("token"))


def printed() -> Any:
    """Returns the module on the page."""
    (code,) = re.findall(r"(?ms)^`src/polyant_kms/secret_cipher\.py`\n\n```python\n(.*?)^```$", PAGE)
    module = ModuleType("polyant_kms_of_the_page")
    sys.modules[module.__name__] = module
    exec(compile(code, str(ROOT / "docs" / "adapters" / "ciphers.md"), "exec"), vars(module))  # noqa: S102 - the page
    return module


KMS = printed()


class MemoryKms:
    """A service that knows the wrapped keys by their names."""

    def __init__(self) -> None:
        self.calls = 0
        self.away = False

    async def unwrap(self, wrapped: str) -> SecretText:
        self.calls += 1
        await asyncio.sleep(0)
        if self.away:
            raise UnavailableError("The key service is unavailable")
        return KEYS[wrapped]


def cipher_of(*wrapped: str, kms: MemoryKms | None = None, clock: ManualClock | None = None) -> Any:
    settings = KMS.KmsSettings(wrapped_keys=wrapped, keep_seconds=300.0)
    return KMS.KmsSecretCipher(chosen=settings, kms=kms or MemoryKms(), clock=clock or ManualClock())


class TestPrintedSecretCipher(SecretCipherContract):
    @pytest.fixture
    def cipher(self) -> SecretCipher:
        cipher: SecretCipher = cipher_of("first")
        return cipher

    @pytest.fixture
    def successor(self) -> SecretCipher:
        successor: SecretCipher = cipher_of("second", "first")
        return successor

    @pytest.fixture
    def stranger(self) -> SecretCipher:
        stranger: SecretCipher = cipher_of("third", "second")
        return stranger

    @pytest.fixture
    def restarted(self) -> SecretCipher:
        restarted: SecretCipher = cipher_of("first")
        return restarted

    @pytest.fixture
    async def relabelled(self, cipher: SecretCipher) -> SecretCipher:
        other = cipher_of("third")
        (await other._unwrapped())._current().id = await cipher.key_id()
        relabelled: SecretCipher = other
        return relabelled


async def test_service_is_asked_once_until_the_keys_expire() -> None:
    kms, clock = MemoryKms(), ManualClock()
    cipher = cipher_of("first", kms=kms, clock=clock)
    sealed = await asyncio.gather(*(cipher.seal(SecretText("x"), ADDRESS) for _ in range(20)))
    clock.advance(299)
    await cipher.open(sealed[0], ADDRESS)
    assert kms.calls == 1
    clock.advance(1)
    await cipher.open(sealed[0], ADDRESS)
    assert kms.calls == 2


async def test_withdrawn_access_ends_with_the_kept_keys() -> None:
    kms, clock = MemoryKms(), ManualClock()
    cipher = cipher_of("first", kms=kms, clock=clock)
    sealed = await cipher.seal(SecretText("x"), ADDRESS)
    kms.away = True
    assert (await cipher.open(sealed, ADDRESS)).reveal() == "x"
    clock.advance(300)
    for _ in range(2):
        with pytest.raises(UnavailableError):
            await cipher.open(sealed, ADDRESS)
    with pytest.raises(UnavailableError):
        await cipher.health()
