"""SecretCipher on AES-256-GCM, with HKDF and HMAC on SHA-256, from the `cryptography` package."""

import binascii
import hmac
import os
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from polyant.adapters.crypto.keys import derive, parse_master_key
from polyant.domain.errors import InvalidInputError, SecretUnreadableError
from polyant.domain.injectables import MasterKeyring
from polyant.domain.ports.secret_cipher import SecretCipher
from polyant.domain.secrets import SecretAddress, SecretText

_VERSION = "v1"
_KEY_ID_BYTES = 6
_NONCE_BYTES = 12  # 96 bits, as NIST SP 800-38D recommends for GCM
_REMEMBERED = 1_024
"""How many ciphertexts and addresses are kept in parsed form: requests with a key open the same few again and again."""
_MAX_REMEMBERED_CHARACTERS = 1_024
_SEALED = re.compile(rf"\A{_VERSION}\.([0-9a-f]{{{2 * _KEY_ID_BYTES}}})\.([A-Za-z0-9_-]+)\Z")


class AesGcmSecretCipher(SecretCipher):
    """Encrypts with the first master key, and decrypts with any of them.

    The encrypted form is `v1.<key id>.<base64url of nonce, ciphertext and tag>`. The whole form is authenticated,
    together with the address.

    Args:
        master_keys: The current key, then the previous keys that can still decrypt; each 64 hex digits. The keys may
            change at runtime: they are read again whenever a new key matters.

    Raises:
        InvalidInputError: There is no key, or a key isn't 64 hex digits.
    """

    def __init__(self, *, master_keys: MasterKeyring) -> None:
        self._master_keys = master_keys
        self._derived_from: list[bytes] = []
        self._keys: dict[str, _Key] = {}
        self._derive_keys()

    async def seal(self, secret: SecretText, address: SecretAddress) -> str:
        key = self._current()
        nonce = os.urandom(_NONCE_BYTES)
        ciphertext = key.aead.encrypt(nonce, _bytes_of(secret), _associated_data(address))
        return f"{_VERSION}.{key.id}.{_encode(nonce + ciphertext)}"

    async def open(self, sealed: str, address: SecretAddress) -> SecretText:
        try:
            parse = _parse_again if len(sealed) <= _MAX_REMEMBERED_CHARACTERS else _parse
            key_id, nonce, ciphertext = parse(sealed)
            key = self._keys.get(key_id) or self._derive_keys()[key_id]
            text = key.aead.decrypt(nonce, ciphertext, _associated_data(address))
            return SecretText(text.decode("utf-8", "surrogatepass"))
        except (ValueError, KeyError, InvalidTag):
            raise SecretUnreadableError from None

    async def fingerprints(self, secret: SecretText) -> tuple[str, ...]:
        message = _bytes_of(secret)
        return tuple(hmac.digest(key.fingerprint_key, message, "sha256").hex() for key in self._derive_keys().values())

    async def key_id(self) -> str:
        return self._current().id

    async def key_id_of(self, sealed: str) -> str:
        try:
            return _parse(sealed)[0]
        except ValueError:
            raise SecretUnreadableError from None

    def _current(self) -> "_Key":
        return next(iter(self._derive_keys().values()))

    def _derive_keys(self) -> dict[str, "_Key"]:
        """Returns the keys by id, the current one first; derives them again if the master keys have changed."""
        masters = [parse_master_key(text) for text in self._master_keys]
        if not masters:
            raise InvalidInputError("An encryption key is required: 64 hex digits")
        if masters != self._derived_from:
            self._keys = {key.id: key for key in map(_Key, masters)}
            self._derived_from = masters
        return self._keys


class _Key:
    """The id and the keys for each purpose, derived once from a master key."""

    __slots__ = ("aead", "fingerprint_key", "id")

    def __init__(self, master: bytes) -> None:
        self.id = derive(master, "key id", _KEY_ID_BYTES).hex()
        self.aead = AESGCM(derive(master, "seal", 32))
        self.fingerprint_key = derive(master, "fingerprint", 32)


def _parse(sealed: str) -> tuple[str, bytes, bytes]:
    """Returns the key's id, the nonce, and the ciphertext with its tag."""
    match = _SEALED.match(sealed)
    if match is None:
        raise ValueError
    data = _decode(match[2])
    return match[1], data[:_NONCE_BYTES], data[_NONCE_BYTES:]


_parse_again = lru_cache(maxsize=_REMEMBERED)(_parse)


def _encode(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(payload: str) -> bytes:
    data = urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
    if _encode(data) != payload:  # reject unused bits in the last character
        raise binascii.Error
    return data


@lru_cache(maxsize=_REMEMBERED)
def _associated_data(address: SecretAddress) -> bytes:
    """Returns an unambiguous encoding of the address: each part with its length, the origin only if there is one."""
    parts = [_VERSION, address.instance_id, address.name]
    if address.origin is not None:
        parts.append(address.origin)
    encoded = [part.encode("utf-8", "surrogatepass") for part in parts]
    return b"".join(len(part).to_bytes(4, "big") + part for part in encoded)


def _bytes_of(secret: SecretText) -> bytes:
    # surrogatepass: any text can be encrypted, and no encoding error can contain the secret.
    return secret.reveal().encode("utf-8", "surrogatepass")
