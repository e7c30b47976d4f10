import pytest

from polyant.adapters.crypto.secret_cipher import AesGcmSecretCipher
from polyant.domain.secrets import SecretText
from polyant.testing.secret_cipher import SecretCipherContract

FIRST, SECOND, THIRD = (SecretText(digit * 64) for digit in "1aF")


class TestAesGcmSecretCipher(SecretCipherContract):
    @pytest.fixture
    def cipher(self) -> AesGcmSecretCipher:
        return AesGcmSecretCipher(master_keys=[FIRST])

    @pytest.fixture
    def successor(self) -> AesGcmSecretCipher:
        return AesGcmSecretCipher(master_keys=[SECOND, FIRST])

    @pytest.fixture
    def stranger(self) -> AesGcmSecretCipher:
        return AesGcmSecretCipher(master_keys=[THIRD, SECOND])
