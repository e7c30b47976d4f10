from collections.abc import AsyncIterator
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyant.adapters.crypto import backup_cipher
from polyant.adapters.crypto.backup_cipher import AesGcmBackupCipher
from polyant.domain.backups import DamagedBackupError, WrongPassphraseError
from polyant.domain.errors import UnavailableError
from polyant.domain.secrets import SecretText
from polyant.testing.backup_cipher import decrypted, encrypted

CIPHER = AesGcmBackupCipher(memory_kib=8, iterations=1)
START, CHUNK = 72, 65_536 + 16
THREE_CHUNKS = bytes(3 * 65_536)


def with_costs(data: bytes, *, memory_kib: int, iterations: int) -> bytes:
    return data[:16] + memory_kib.to_bytes(4, "big") + iterations.to_bytes(4, "big") + data[24:]


def chunks_of(data: bytes) -> list[bytes]:
    return [data[begin : begin + CHUNK] for begin in range(START, len(data), CHUNK)]


@settings(max_examples=30)
@given(st.binary(max_size=100), st.integers(1, 100), st.integers(1, 300))
async def test_any_bytes_in_any_pieces_are_decrypted(data: bytes, size: int, other: int) -> None:
    assert await decrypted(CIPHER, await encrypted(CIPHER, data, size=size), size=other) == data


async def test_format_is_the_documented_one() -> None:
    """16 bytes of magic and version, the costs, a salt, an authentication code, then chunks of 64 KiB with a tag."""
    data = await encrypted(CIPHER, THREE_CHUNKS)
    assert data[:24] == b"polyant backup\n\1" + (8).to_bytes(4, "big") + (1).to_bytes(4, "big")
    assert [len(chunk) for chunk in chunks_of(data)] == [CHUNK] * 3


async def test_removed_moved_and_repeated_chunks_are_refused() -> None:
    data = await encrypted(CIPHER, THREE_CHUNKS)
    start, chunks = data[:START], chunks_of(data)
    orders = [order for size in range(5) for order in product(range(3), repeat=size) if order != (0, 1, 2)]
    for order in orders:
        with pytest.raises(DamagedBackupError):
            await decrypted(CIPHER, start + b"".join(chunks[number] for number in order))


async def test_chunks_of_another_backup_are_refused() -> None:
    one, other = await encrypted(CIPHER, THREE_CHUNKS), await encrypted(CIPHER, THREE_CHUNKS)
    with pytest.raises(DamagedBackupError):
        await decrypted(CIPHER, one[:START] + other[START:])
    with pytest.raises(WrongPassphraseError):
        await decrypted(CIPHER, other[:24] + one[24:40] + other[40:])


@pytest.mark.parametrize("memory_kib, iterations", [(7, 1), (2**20 + 1, 1), (2**32 - 1, 1), (8, 0), (8, 17)])
async def test_costs_out_of_bounds_are_refused_before_the_key_is_derived(
    monkeypatch: pytest.MonkeyPatch, memory_kib: int, iterations: int
) -> None:
    data = await encrypted(CIPHER, b"text")
    monkeypatch.setattr(backup_cipher, "Argon2id", None)
    with pytest.raises(DamagedBackupError):
        await decrypted(CIPHER, with_costs(data, memory_kib=memory_kib, iterations=iterations))


async def test_changed_costs_are_refused() -> None:
    data = await encrypted(CIPHER, b"text")
    with pytest.raises(WrongPassphraseError):
        await decrypted(CIPHER, with_costs(data, memory_kib=16, iterations=1))


async def test_costs_come_from_the_backup() -> None:
    data = await encrypted(AesGcmBackupCipher(memory_kib=32, iterations=2), b"text")
    assert await decrypted(CIPHER, data) == b"text"


async def test_lack_of_memory_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_: object) -> None:
        raise MemoryError

    data = with_costs(await encrypted(CIPHER, b"text"), memory_kib=2**20, iterations=1)
    monkeypatch.setattr(backup_cipher, "Argon2id", fail)
    with pytest.raises(UnavailableError, match="needs 1024 MiB of memory"):
        await decrypted(CIPHER, data)


async def test_any_text_is_a_passphrase() -> None:
    pieces = [piece async for piece in CIPHER.encrypt(_once(b"text"), SecretText("\ud800\0 \n"))]
    assert await decrypted(CIPHER, b"".join(pieces), passphrase=SecretText("\ud800\0 \n")) == b"text"


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data
