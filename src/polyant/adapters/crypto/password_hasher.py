"""PasswordHasher on Argon2id, from the `cryptography` package."""

import asyncio
import os
import re
from base64 import b64decode
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import TracebackType
from typing import Self

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from polyant.domain.ports.password_hasher import PasswordHasher
from polyant.domain.secrets import SecretText

_SALT_BYTES = 16
_HASH_BYTES = 32
# With several lanes, OpenSSL uses threads that all hashes share, so that concurrent hashes fail or deadlock.
_LANES = 1
_PHC = re.compile(
    rf"\A\$argon2id\$v=19\$m=([0-9]{{1,7}}),t=([0-9]{{1,3}}),p={_LANES}\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)\Z"
)


class Argon2idPasswordHasher(PasswordHasher):
    """Hashes passwords in its own thread pool; a small pool limits the memory, and further hashes are queued.

    Exiting the context drops queued hashes and waits for those that have begun.

    Hashes are in the PHC string format, so hashes with other parameters can still be verified. The default memory and
    iterations are the second recommended option of RFC 9106, section 4, with one lane. OWASP's Password Storage Cheat
    Sheet requires at least 19 MiB, 2 iterations and 1 lane.

    Args:
        memory_kib: The memory of one hash, in KiB.
        iterations: The number of passes over the memory.
        at_once: The number of concurrent hashes.
    """

    def __init__(self, *, memory_kib: int = 64 * 1024, iterations: int = 3, at_once: int = 2) -> None:
        self._method = partial(
            Argon2id, length=_HASH_BYTES, lanes=_LANES, memory_cost=memory_kib, iterations=iterations
        )
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="argon2id")

    async def __aenter__(self) -> Self:
        """Returns the hasher, which needs no preparation."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)

    async def hash(self, password: SecretText) -> str:
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._hash, password)

    async def verify(self, password: SecretText, hashed: str | None) -> bool:
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._verify, password, hashed or "")

    def _hash(self, password: SecretText) -> str:
        return self._method(salt=os.urandom(_SALT_BYTES)).derive_phc_encoded(_bytes_of(password))

    def _verify(self, password: SecretText, hashed: str) -> bool:
        try:
            method, expected = _parse(hashed)
        except ValueError:
            method, expected = (
                self._method(salt=os.urandom(_SALT_BYTES)),
                b"",
            )  # matches no password; the same work hides which users exist
        try:
            method.verify(_bytes_of(password), expected)
        except InvalidKey:
            return False
        return True


def _parse(hashed: str) -> tuple[Argon2id, bytes]:
    """Returns the Argon2id parameters and the hash in a PHC string.

    Raises:
        ValueError: The string isn't an Argon2id hash with one lane.
    """
    match = _PHC.match(hashed)
    if match is None:
        raise ValueError
    salt, expected = (b64decode(part + "=" * (-len(part) % 4)) for part in (match[3], match[4]))
    method = Argon2id(
        salt=salt, length=len(expected), lanes=_LANES, memory_cost=int(match[1]), iterations=int(match[2])
    )
    return method, expected


def _bytes_of(password: SecretText) -> bytes:
    # surrogatepass: hashing or verifying never raises, whatever text a client sends.
    return password.reveal().encode("utf-8", "surrogatepass")
