"""PasswordHasher on Argon2id, from the `cryptography` package."""

import asyncio
import os
import re
from base64 import b64decode
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from polyant.domain.ports.password_hasher import PasswordHasher
from polyant.domain.secrets import SecretText

_SALT_BYTES = 16
_HASH_BYTES = 32
# OpenSSL computes several lanes in threads that all hashes share: two hashes at once fail then, or wait for ever.
_LANES = 1
_PHC = re.compile(
    rf"\A\$argon2id\$v=19\$m=([0-9]{{1,7}}),t=([0-9]{{1,3}}),p={_LANES}\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)\Z"
)


class Argon2idPasswordHasher(PasswordHasher):
    """Hashes in threads of its own, a few at once, since each takes its memory; further ones wait for their turn.

    A hash is written in the PHC string format, so that one made at another cost can still be verified. Memory and
    iterations are preset to those of the second recommended option of RFC 9106, section 4, in one lane; OWASP's
    Password Storage Cheat Sheet asks for no less than 19 MiB, 2 iterations and 1 lane.

    Args:
        memory_kib: How much memory one hash takes.
        iterations: How often it goes through that memory.
        at_once: How many are hashed side by side.
    """

    def __init__(self, *, memory_kib: int = 64 * 1024, iterations: int = 3, at_once: int = 2) -> None:
        self._method = partial(
            Argon2id, length=_HASH_BYTES, lanes=_LANES, memory_cost=memory_kib, iterations=iterations
        )
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="argon2id")

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
            method, expected = self._method(salt=os.urandom(_SALT_BYTES)), b""  # which no password gives
        try:
            method.verify(_bytes_of(password), expected)
        except InvalidKey:
            return False
        return True


def _parse(hashed: str) -> tuple[Argon2id, bytes]:
    """Returns the method that the PHC string names, and what it has to give.

    Raises:
        ValueError: It isn't one of Argon2id in one lane.
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
    # surrogatepass: any text that somebody can send is hashed or refused without an error.
    return password.reveal().encode("utf-8", "surrogatepass")
