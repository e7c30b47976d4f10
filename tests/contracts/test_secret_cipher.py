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

    @pytest.fixture
    def restarted(self) -> AesGcmSecretCipher:
        return AesGcmSecretCipher(master_keys=[FIRST])

    @pytest.fixture
    async def relabelled(self, cipher: AesGcmSecretCipher) -> AesGcmSecretCipher:
        # The id of a key is derived from it, so no other key has it unless it is set here.
        other = AesGcmSecretCipher(master_keys=[THIRD])
        key = other._current()
        key.id = await cipher.key_id()
        return other
