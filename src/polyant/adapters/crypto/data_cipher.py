"""DataCipher on AES-256-GCM and HMAC-SHA-256, from the `cryptography` package."""

import functools
import hmac
import os
from binascii import b2a_base64
from collections.abc import Sequence

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from polyant.adapters.crypto.keys import derive
from polyant.domain.data_keys import DataAddress, wrapping_address
from polyant.domain.errors import SecretUnreadableError
from polyant.domain.ports.data_cipher import DataCipher, DataKey
from polyant.domain.ports.secret_cipher import SecretCipher
from polyant.domain.secrets import SecretText

_KEY_BYTES = 32
_NONCE_BYTES = 12  # 96 bits, as NIST SP 800-38D recommends for GCM
_VERSION = b"\x01"
_HEAD_BYTES = len(_VERSION) + _NONCE_BYTES
_LAST_DIGITS = ("", "AQgw", "AEIMQUYcgkosw048")
"""The last digits of Base64 whose unused bits are zero, by the number of bytes after the last three."""
_TEXT, _BYTES = b"t", b"b"  # of one length, so that no kind is the beginning of another


class AesGcmDataKey(DataKey):
    """Encrypts with random nonces: the version, the nonce, the ciphertext and the tag; texts in Base64.

    Args:
        key: The 32 bytes from which the keys for encryption and fingerprints are derived.
    """

    __slots__ = ("_aead", "_fingerprint_key")

    def __init__(self, key: bytes) -> None:
        self._aead = AESGCM(derive(key, "data", _KEY_BYTES))
        self._fingerprint_key = derive(key, "data fingerprint", _KEY_BYTES)

    def __repr__(self) -> str:
        """Returns a representation without the key."""
        return "AesGcmDataKey(…)"

    def encrypt(self, data: bytes, address: DataAddress) -> bytes:
        return self._encrypt(data, address, _BYTES)

    def decrypt(self, encrypted: bytes, address: DataAddress) -> bytes:
        return self._decrypt(encrypted, address, _BYTES)

    def encrypt_text(self, text: str, address: DataAddress) -> str:
        # surrogatepass: any text can be encrypted, and no encoding error can contain the text.
        return _encode(self._encrypt(text.encode("utf-8", "surrogatepass"), address, _TEXT))

    def decrypt_text(self, encrypted: str, address: DataAddress) -> str:
        return self._decrypt(_decode(encrypted), address, _TEXT).decode("utf-8", "surrogatepass")

    def decrypt_texts(self, encrypted: Sequence[tuple[str, DataAddress]]) -> list[str]:
        # A turn decrypts up to a thousand texts, so this loop repeats `decrypt_text` without its calls.
        decrypt, texts = self._aead.decrypt, list[str]()
        decoded = _decode_all([text for text, _ in encrypted])
        try:
            for data, (_, address) in zip(decoded, encrypted, strict=True):
                if data[:1] != _VERSION:
                    raise SecretUnreadableError
                decrypted = decrypt(data[1:_HEAD_BYTES], data[_HEAD_BYTES:], _associated_data(address, _TEXT))
                texts.append(decrypted.decode("utf-8", "surrogatepass"))
        except (ValueError, InvalidTag):  # ValueError: too short
            raise SecretUnreadableError from None
        return texts

    def fingerprint(self, data: bytes) -> str:
        return hmac.digest(self._fingerprint_key, data, "sha256").hex()

    def _encrypt(self, data: bytes, address: DataAddress, kind: bytes) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        return _VERSION + nonce + self._aead.encrypt(nonce, data, _associated_data(address, kind))

    def _decrypt(self, encrypted: bytes, address: DataAddress, kind: bytes) -> bytes:
        if not encrypted.startswith(_VERSION):
            raise SecretUnreadableError
        try:
            return self._aead.decrypt(
                encrypted[1:_HEAD_BYTES], encrypted[_HEAD_BYTES:], _associated_data(address, kind)
            )
        except (ValueError, InvalidTag):  # ValueError: too short
            raise SecretUnreadableError from None


class AesGcmDataCipher(DataCipher):
    """Wraps data keys of 256 random bits.

    Args:
        cipher: Encrypts the data keys with the master key.
    """

    def __init__(self, *, cipher: SecretCipher) -> None:
        self._cipher = cipher

    async def create_key(self, conversation: str) -> tuple[DataKey, str]:
        key = os.urandom(_KEY_BYTES)
        secret = SecretText(_encode(key))
        return AesGcmDataKey(key), await self._cipher.seal(secret, wrapping_address(conversation))

    async def unwrap_key(self, wrapped: str, conversation: str) -> DataKey:
        key = _decode((await self._cipher.open(wrapped, wrapping_address(conversation))).reveal())
        if len(key) != _KEY_BYTES:
            raise SecretUnreadableError
        return AesGcmDataKey(key)

    async def rewrap_key(self, wrapped: str, conversation: str) -> str:
        address = wrapping_address(conversation)
        return await self._cipher.seal(await self._cipher.open(wrapped, address), address)

    async def key_id(self) -> str:
        return await self._cipher.key_id()

    async def key_id_of(self, wrapped: str) -> str:
        return await self._cipher.key_id_of(wrapped)


def _encode(data: bytes) -> str:
    return b2a_base64(data, newline=False).decode()


def _decode(text: str) -> bytes:
    """Returns the bytes of Base64; each byte string has exactly one accepted form.

    Raises:
        SecretUnreadableError: The text isn't in that form.
    """
    return _decode_all([text])[0]


def _decode_all(texts: list[str]) -> list[bytes]:
    """Returns the bytes of each text, as `_decode` does for one."""
    try:
        decoded = msgspec.convert(texts, list[bytes])  # as strict as binascii's strict mode, in a tenth of the time
    except (msgspec.ValidationError, UnicodeError):
        raise SecretUnreadableError from None
    for text, data in zip(texts, decoded, strict=True):
        rest = len(data) % 3
        if rest and text[rest - 4] not in _LAST_DIGITS[rest]:  # unused bits at the end
            raise SecretUnreadableError
    return decoded


@functools.lru_cache(maxsize=256)
def _part(text: str) -> bytes:
    """Returns a part of an address with its length; the same roles recur in a turn."""
    encoded = text.encode("utf-8", "surrogatepass")
    return len(encoded).to_bytes(4, "big") + encoded


@functools.lru_cache(maxsize=256)
def _beginning(kind: bytes, conversation: str, item_bytes: int) -> bytes:
    """Returns what precedes the item of an address; the ids of a conversation's messages have few lengths."""
    return kind + _part(conversation) + item_bytes.to_bytes(4, "big")


def _associated_data(address: DataAddress, kind: bytes) -> bytes:
    """Returns an unambiguous encoding of the address and the kind of content: each part with its length."""
    item = address.item.encode("utf-8", "surrogatepass")
    return _beginning(kind, address.conversation, len(item)) + item + _part(address.role)
