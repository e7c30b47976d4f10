"""Ciphers that each break one promise."""

import hashlib
import itertools
import logging
import os
from base64 import urlsafe_b64encode
from collections.abc import Iterator

import pytest

from polyant.adapters.crypto.secret_cipher import AesGcmSecretCipher, _associated_data, _bytes_of, _parse
from polyant.domain.errors import SecretUnreadableError
from polyant.domain.secrets import SecretAddress, SecretName, SecretText
from polyant.testing.secret_cipher import SecretCipherContract

FIRST, SECOND, THIRD = (SecretText(digit * 64) for digit in "1aF")


class CipherContract(SecretCipherContract):
    wrong: type[AesGcmSecretCipher]

    @pytest.fixture
    def cipher(self) -> AesGcmSecretCipher:
        return self.wrong(master_keys=[FIRST])

    @pytest.fixture
    def successor(self) -> AesGcmSecretCipher:
        return self.wrong(master_keys=[SECOND, FIRST])

    @pytest.fixture
    def stranger(self) -> AesGcmSecretCipher:
        return self.wrong(master_keys=[THIRD, SECOND])

    @pytest.fixture
    def restarted(self) -> AesGcmSecretCipher:
        return self.wrong(master_keys=[FIRST])

    @pytest.fixture
    async def relabelled(self, cipher: AesGcmSecretCipher) -> AesGcmSecretCipher:
        other = self.wrong(master_keys=[THIRD])
        other._current().id = await cipher.key_id()
        return other


class HashesWithKeyId(AesGcmSecretCipher):
    async def fingerprints(self, secret: SecretText) -> tuple[str, ...]:
        text = _bytes_of(secret)
        keys = self._derive_keys().values()
        return tuple(hashlib.sha256(f"{key.id}:".encode() + text).hexdigest() for key in keys)


class TestFingerprintFromKeyId(CipherContract):
    wrong = HashesWithKeyId


class HashesWithPepper(AesGcmSecretCipher):
    """Uses a constant that everyone can read in the package."""

    async def fingerprints(self, secret: SecretText) -> tuple[str, ...]:
        text = _bytes_of(secret)
        keys = self._derive_keys().values()
        return tuple(hashlib.sha256(f"pepper {key.id} ".encode() + text).hexdigest() for key in keys)


class TestFingerprintFromPepper(CipherContract):
    wrong = HashesWithPepper


class LogsSecrets(AesGcmSecretCipher):
    async def seal(self, secret: SecretText, address: SecretAddress) -> str:
        logging.getLogger("wrong").debug("encrypting %s", secret.reveal())
        return await super().seal(secret, address)


class TestSecretLogged(CipherContract):
    wrong = LogsSecrets


class PrintsSecrets(AesGcmSecretCipher):
    async def open(self, sealed: str, address: SecretAddress) -> SecretText:
        secret = await super().open(sealed, address)
        os.write(2, secret.reveal().encode("utf-8", "replace"))
        return secret


class TestSecretPrinted(CipherContract):
    wrong = PrintsSecrets


class StoresAddressInside(AesGcmSecretCipher):
    """Encrypts the address with the secret, and compares it after decryption."""

    async def seal(self, secret: SecretText, address: SecretAddress) -> str:
        return await super().seal(SecretText(f"{_associated_data(address).hex()} {secret.reveal()}"), self._nowhere())

    async def open(self, sealed: str, address: SecretAddress) -> SecretText:
        opened = await super().open(sealed, self._nowhere())
        try:
            return SecretText(self._unwrapped(opened.reveal(), address))
        except ValueError:
            raise SecretUnreadableError from None

    @staticmethod
    def _unwrapped(text: str, address: SecretAddress) -> str:
        stored, _, secret = text.partition(" ")
        if stored != _associated_data(address).hex():
            raise ValueError(text)
        return secret

    @staticmethod
    def _nowhere() -> SecretAddress:
        return SecretAddress(instance_id="0" * 32, name=SecretName("any"))


class TestSecretInContext(CipherContract):
    wrong = StoresAddressInside


class EncodesStrictly(AesGcmSecretCipher):
    async def seal(self, secret: SecretText, address: SecretAddress) -> str:
        secret.reveal().encode()
        return await super().seal(secret, address)


class TestSecretInEncodingError(CipherContract):
    wrong = EncodesStrictly


class WithNonce(AesGcmSecretCipher):
    """Has a nonce of its own kind."""

    size = 12

    def nonce(self) -> bytes:
        raise NotImplementedError

    async def seal(self, secret: SecretText, address: SecretAddress) -> str:
        key, nonce = self._current(), self.nonce()
        data = nonce + key.aead.encrypt(nonce, _bytes_of(secret), _associated_data(address))
        return f"v1.{key.id}.{urlsafe_b64encode(data).rstrip(b'=').decode()}"

    async def open(self, sealed: str, address: SecretAddress) -> SecretText:
        try:
            key_id, start, rest = _parse(sealed)
            data, key = start + rest, self._derive_keys()[key_id]
            text = key.aead.decrypt(data[: self.size], data[self.size :], _associated_data(address))
        except Exception:  # noqa: BLE001 - a wrong cipher may be lazy, too
            raise SecretUnreadableError from None
        return SecretText(text.decode("utf-8", "surrogatepass"))


class EightBytes(WithNonce):
    size = 8

    def nonce(self) -> bytes:
        return os.urandom(8)


class TestShortNonce(CipherContract):
    wrong = EightBytes


class PaddedNonce(WithNonce):
    def nonce(self) -> bytes:
        return os.urandom(6).ljust(12, b"\0")


class TestPaddedNonce(CipherContract):
    wrong = PaddedNonce


class Counts(WithNonce):
    """Derives each nonce from a number."""

    seed = b""

    def __init__(self, *, master_keys: list[SecretText]) -> None:
        super().__init__(master_keys=master_keys)
        self.numbers: Iterator[int] = itertools.count()

    def nonce(self) -> bytes:
        return hashlib.sha256(self.seed + str(next(self.numbers)).encode()).digest()[:12]


class TestNonceRestarts(CipherContract):
    wrong = Counts


class Repeats(Counts):
    """Uses each nonce again after 500 others."""

    def __init__(self, *, master_keys: list[SecretText]) -> None:
        super().__init__(master_keys=master_keys)
        self.numbers, self.seed = itertools.cycle(range(500)), os.urandom(12)


class TestNonceRepeated(CipherContract):
    wrong = Repeats
