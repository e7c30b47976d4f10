import pytest

from polyant.adapters.crypto.backup_cipher import AesGcmBackupCipher
from polyant.testing.backup_cipher import BackupCipherContract


class TestAesGcmBackupCipher(BackupCipherContract):
    @pytest.fixture
    def backup_cipher(self) -> AesGcmBackupCipher:
        return AesGcmBackupCipher(memory_kib=8, iterations=1)
