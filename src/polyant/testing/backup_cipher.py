"""The contract of the port BackupCipher."""

from collections.abc import AsyncIterator, Callable, Iterable

import pytest

from polyant.domain.backups import (
    BACKUP_MAGIC,
    DamagedBackupError,
    NewerBackupError,
    NotABackupError,
    UnusableBackupError,
    WrongPassphraseError,
)
from polyant.domain.ports.backup_cipher import BackupCipher
from polyant.domain.secrets import SecretText
from polyant.testing.contract import Contract, proves

_PASSPHRASE = SecretText("correct horse battery é")
_TEXT = bytes(range(256)) * 1_024
"""256 KiB."""


async def pieces_of(data: bytes, size: int) -> AsyncIterator[bytes]:
    """Yields the bytes in pieces of that size."""
    for begin in range(0, len(data), size):
        yield data[begin : begin + size]


async def encrypted(cipher: BackupCipher, data: bytes, *, size: int = 10_000) -> bytes:
    """Returns the encrypted form of the bytes."""
    return b"".join([piece async for piece in cipher.encrypt(pieces_of(data, size), _PASSPHRASE)])


async def decrypted(
    cipher: BackupCipher, data: bytes, *, passphrase: SecretText = _PASSPHRASE, size: int = 10_000
) -> bytes:
    """Returns the decrypted bytes."""
    return b"".join([piece async for piece in cipher.decrypt(pieces_of(data, size), passphrase)])


def _flipped(data: bytes, position: int) -> bytes:
    changed = bytearray(data)
    changed[position] ^= 1
    return bytes(changed)


class BackupCipherContract(Contract):
    """The tests that every BackupCipher must pass."""

    @pytest.fixture
    def backup_cipher(self) -> BackupCipher:
        raise NotImplementedError("return a BackupCipher")

    def test_implements_the_port(self, backup_cipher: BackupCipher) -> None:
        assert isinstance(backup_cipher, BackupCipher)

    @proves("Yields what was encrypted; every yielded byte is authentic and in its place.")
    @pytest.mark.parametrize("length", [0, 1, 65_535, 65_536, 65_537, 131_072, 200_000])
    async def test_decrypt_returns_what_was_encrypted(self, backup_cipher: BackupCipher, length: int) -> None:
        assert await decrypted(backup_cipher, await encrypted(backup_cipher, _TEXT[:length])) == _TEXT[:length]

    @proves("How the bytes are divided into pieces makes no difference.")
    @pytest.mark.parametrize("size", [1, 7, 65_536, 1_000_000])
    async def test_size_of_the_pieces_makes_no_difference(self, backup_cipher: BackupCipher, size: int) -> None:
        data = await encrypted(backup_cipher, _TEXT[:70_000], size=size)
        assert await decrypted(backup_cipher, data, size=size) == _TEXT[:70_000]

    @proves("Yields the encrypted form of the pieces, which differs on each call.")
    async def test_encrypted_form_differs_on_each_call_and_does_not_contain_the_text(
        self, backup_cipher: BackupCipher
    ) -> None:
        one, other = await encrypted(backup_cipher, _TEXT), await encrypted(backup_cipher, _TEXT)
        assert one.startswith(BACKUP_MAGIC)
        assert one[-1_000:] != other[-1_000:]
        assert _TEXT[:64] not in one

    @proves("Encrypts and decrypts streams of bytes with a passphrase, in bounded memory.")
    async def test_encrypted_pieces_are_yielded_before_the_input_ends(self, backup_cipher: BackupCipher) -> None:
        read = 0

        async def counting() -> AsyncIterator[bytes]:
            nonlocal read
            for _ in range(1_000):
                read += 1
                yield _TEXT[:100_000]

        pieces = backup_cipher.encrypt(counting(), _PASSPHRASE)
        for _ in range(3):
            await anext(pieces)
        assert read < 10

    @proves("Encrypts and decrypts streams of bytes with a passphrase, in bounded memory.")
    async def test_decrypted_pieces_are_yielded_before_the_input_ends(self, backup_cipher: BackupCipher) -> None:
        data, read = await encrypted(backup_cipher, _TEXT * 4), 0

        async def counting() -> AsyncIterator[bytes]:
            nonlocal read
            async for piece in pieces_of(data, 100_000):
                read += 1
                yield piece

        await anext(backup_cipher.decrypt(counting(), _PASSPHRASE))
        assert read < 5

    @proves(
        "WrongPassphraseError: The passphrase is another one.",
        "No message contains the passphrase.",
    )
    @pytest.mark.parametrize("passphrase", ["", "correct horse battery e", "Correct horse battery é"])
    async def test_wrong_passphrase_is_refused(self, backup_cipher: BackupCipher, passphrase: str) -> None:
        data = await encrypted(backup_cipher, _TEXT)
        with pytest.raises(WrongPassphraseError) as refused:
            await decrypted(backup_cipher, data, passphrase=SecretText(passphrase))
        assert not passphrase or passphrase not in refused.value.explanation

    @proves("Equivalent Unicode forms of a passphrase are the same passphrase.")
    async def test_equivalent_unicode_forms_of_a_passphrase_are_equal(self, backup_cipher: BackupCipher) -> None:
        data = await encrypted(backup_cipher, _TEXT)
        decomposed = SecretText("correct horse battery e\u0301")
        assert await decrypted(backup_cipher, data, passphrase=decomposed) == _TEXT

    @proves("NotABackupError: The input doesn't begin like an encrypted stream.")
    @pytest.mark.parametrize("data", [b"", b"polyant", b"SQLite format 3\0" * 1_000])
    async def test_other_input_is_not_a_backup(self, backup_cipher: BackupCipher, data: bytes) -> None:
        with pytest.raises(NotABackupError):
            await decrypted(backup_cipher, data)

    @proves("NewerBackupError: The input has a newer format.")
    async def test_newer_format_is_recognized(self, backup_cipher: BackupCipher) -> None:
        data = await encrypted(backup_cipher, _TEXT)
        version = len(BACKUP_MAGIC)
        with pytest.raises(NewerBackupError):
            await decrypted(backup_cipher, data[:version] + b"\xff" + data[version + 1 :])

    @proves("DamagedBackupError: The input was cut, changed, reordered or extended.")
    @pytest.mark.parametrize(
        "damage",
        [
            lambda data: data[:-1],
            lambda data: data + b"\0",
            lambda data: data + data[-1_000:],
            lambda data: data[: len(data) // 2] + data[len(data) // 2 + 1 :],
        ],
        ids=["cut", "extended", "repeated", "byte removed"],
    )
    async def test_damaged_input_is_refused(
        self, backup_cipher: BackupCipher, damage: Callable[[bytes], bytes]
    ) -> None:
        with pytest.raises(DamagedBackupError):
            await decrypted(backup_cipher, damage(await encrypted(backup_cipher, _TEXT)))

    @proves(
        "Only the regular end of the iteration shows that the input is complete: an error may follow authentic bytes.",
    )
    async def test_input_cut_anywhere_is_refused(self, backup_cipher: BackupCipher) -> None:
        data = await encrypted(backup_cipher, _TEXT)
        for length in _places(len(data)):
            with pytest.raises(UnusableBackupError):
                await decrypted(backup_cipher, data[:length])

    @proves("Yields what was encrypted; every yielded byte is authentic and in its place.")
    async def test_any_flipped_bit_is_refused(self, backup_cipher: BackupCipher) -> None:
        data = await encrypted(backup_cipher, _TEXT)
        for position in _places(len(data)):
            with pytest.raises(UnusableBackupError):
                await decrypted(backup_cipher, _flipped(data, position))


def _places(length: int) -> Iterable[int]:
    """Returns positions: all of the beginning, then some."""
    return [*range(120), *range(120, length, 9_973), length - 1]
