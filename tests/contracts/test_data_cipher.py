import pytest

from polyant.adapters.crypto.data_cipher import AesGcmDataCipher
from polyant.adapters.crypto.secret_cipher import AesGcmSecretCipher
from polyant.domain.secrets import SecretText
from polyant.testing.data_cipher import DataCipherContract

FIRST, SECOND, THIRD = (SecretText(digit * 64) for digit in "1aF")


def _data_cipher(*master_keys: SecretText) -> AesGcmDataCipher:
    return AesGcmDataCipher(cipher=AesGcmSecretCipher(master_keys=master_keys))


class TestAesGcmDataCipher(DataCipherContract):
    @pytest.fixture
    def secret_cipher(self) -> AesGcmSecretCipher:
        return AesGcmSecretCipher(master_keys=[FIRST])

    @pytest.fixture
    def data_cipher(self, secret_cipher: AesGcmSecretCipher) -> AesGcmDataCipher:
        return AesGcmDataCipher(cipher=secret_cipher)

    @pytest.fixture
    def data_cipher_successor(self) -> AesGcmDataCipher:
        return _data_cipher(SECOND, FIRST)

    @pytest.fixture
    def data_cipher_newest(self) -> AesGcmDataCipher:
        return _data_cipher(SECOND)

    @pytest.fixture
    def data_cipher_stranger(self) -> AesGcmDataCipher:
        return _data_cipher(THIRD, SECOND)
