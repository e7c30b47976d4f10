import pytest

from polyant.adapters.crypto.password_hasher import Argon2idPasswordHasher
from polyant.testing.password_hasher import PasswordHasherContract


class TestArgon2idPasswordHasher(PasswordHasherContract):
    @pytest.fixture
    def hasher(self) -> Argon2idPasswordHasher:
        return Argon2idPasswordHasher(memory_kib=4 * 1024, iterations=1)
