"""BackupCipher on Argon2id and AES-256-GCM, from the `cryptography` package; ADR 0021 specifies the format."""

import asyncio
import hmac
import os
import struct
import unicodedata
from collections.abc import AsyncIterable, AsyncIterator, Iterator

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from polyant.adapters.crypto.keys import derive
from polyant.domain.backups import (
    BACKUP_MAGIC,
    DamagedBackupError,
    NewerBackupError,
    NotABackupError,
    WrongPassphraseError,
)
from polyant.domain.errors import UnavailableError
from polyant.domain.ports.backup_cipher import BackupCipher
from polyant.domain.secrets import SecretText

_VERSION = 1
_HEADER = struct.Struct(f">{len(BACKUP_MAGIC)}sBII16s")
"""The magic, the version, the memory of Argon2id in KiB, its iterations, and the salt."""
_MAC_BYTES = 32
_START_BYTES = _HEADER.size + _MAC_BYTES

_CHUNK_BYTES = 64 * 1024
_TAG_BYTES = 16

_MEMORY_KIB = range(8, 1024 * 1024 + 1)
_ITERATIONS = range(1, 17)
_LANES = 1  # see Argon2idPasswordHasher


class AesGcmBackupCipher(BackupCipher):
    """Encrypts chunks of 64 KiB with a key derived from the passphrase and a new salt.

    Args:
        memory_kib: The memory of a key derivation, in KiB. The default costs an attacker twice the recommendation of
            RFC 9106 for constrained memory.
        iterations: The number of passes over the memory.
    """

    def __init__(self, *, memory_kib: int = 128 * 1024, iterations: int = 3) -> None:
        self._memory_kib = memory_kib
        self._iterations = iterations

    async def encrypt(self, pieces: AsyncIterable[bytes], passphrase: SecretText) -> AsyncIterator[bytes]:
        header = _HEADER.pack(BACKUP_MAGIC, _VERSION, self._memory_kib, self._iterations, os.urandom(16))
        keys = await _derive_keys(header, passphrase)
        yield header + keys.mac
        async for nonce, chunk in _chunks(pieces, _CHUNK_BYTES):
            yield keys.aead.encrypt(nonce, chunk, None)

    async def decrypt(self, pieces: AsyncIterable[bytes], passphrase: SecretText) -> AsyncIterator[bytes]:
        rest = aiter(pieces)
        start = await _read_start(rest)
        header, mac = start[: _HEADER.size], start[_HEADER.size : _START_BYTES]
        _check_header(header)
        keys = await _derive_keys(header, passphrase)
        if not hmac.compare_digest(keys.mac, mac):
            raise WrongPassphraseError
        async for nonce, chunk in _chunks(_chain(start[_START_BYTES:], rest), _CHUNK_BYTES + _TAG_BYTES):
            try:
                yield keys.aead.decrypt(nonce, chunk, None)
            except InvalidTag:
                raise DamagedBackupError from None


class _Keys:
    """The key of the chunks, and the header's authentication code, which also shows whether the passphrase is right."""

    __slots__ = ("aead", "mac")

    def __init__(self, header: bytes, passphrase: SecretText) -> None:
        _, _, memory_kib, iterations, salt = _HEADER.unpack(header)
        method = Argon2id(salt=salt, length=32, iterations=iterations, lanes=_LANES, memory_cost=memory_kib)
        text = unicodedata.normalize("NFC", passphrase.reveal())
        root = method.derive(text.encode("utf-8", "surrogatepass"))
        self.aead = AESGCM(derive(root, "backup chunks", 32))
        self.mac = hmac.digest(derive(root, "backup header", 32), header, "sha256")


async def _derive_keys(header: bytes, passphrase: SecretText) -> _Keys:
    try:
        return await asyncio.to_thread(_Keys, header, passphrase)
    except MemoryError:
        memory_mib = _HEADER.unpack(header)[2] // 1024
        raise UnavailableError(f"Deriving the key of the backup needs {memory_mib} MiB of memory") from None


async def _read_start(pieces: AsyncIterator[bytes]) -> bytes:
    """Returns the bytes up to the end of the header's authentication code, and those read along with them.

    Raises:
        NotABackupError: The input doesn't begin with the magic.
        DamagedBackupError: The input ends within the header.
    """
    start = b""
    while len(start) < _START_BYTES and (piece := await anext(pieces, None)) is not None:
        start += piece
    if not start.startswith(BACKUP_MAGIC):
        raise NotABackupError
    if start[len(BACKUP_MAGIC) : len(BACKUP_MAGIC) + 1] > bytes([_VERSION]):
        raise NewerBackupError(f"a file format {start[len(BACKUP_MAGIC)]}")
    if len(start) < _START_BYTES:
        raise DamagedBackupError
    return start


def _check_header(header: bytes) -> None:
    """Returns if the key derivation has bounded cost.

    Raises:
        DamagedBackupError: A value is out of its bounds.
    """
    _, version, memory_kib, iterations, _ = _HEADER.unpack(header)
    if version != _VERSION or memory_kib not in _MEMORY_KIB or iterations not in _ITERATIONS:
        raise DamagedBackupError


async def _chain(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in rest:
        yield piece


async def _chunks(pieces: AsyncIterable[bytes], size: int) -> AsyncIterator[tuple[bytes, bytes]]:
    """Yields the bytes in chunks of that size, each with its nonce; the last chunk is smaller or full.

    A nonce is the number of the chunk and whether it is the last one. So chunks can't be removed, moved or appended.
    """
    nonces, buffer = _nonces(), bytearray()
    async for piece in pieces:
        buffer += piece
        # A full buffer waits for more bytes, because only the end shows which chunk is the last.
        while len(buffer) > size:
            yield next(nonces) + b"\0", bytes(buffer[:size])
            del buffer[:size]
    yield next(nonces) + b"\1", bytes(buffer)


def _nonces() -> Iterator[bytes]:
    """Yields the first 11 bytes of the nonces. They never repeat under one key, because each salt has its own key."""
    number = 0
    while True:
        yield number.to_bytes(11, "big")
        number += 1
