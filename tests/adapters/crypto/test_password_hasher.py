import asyncio
import subprocess
import sys
import threading
from typing import Any

import pytest
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from polyant.adapters.crypto.password_hasher import Argon2idPasswordHasher
from polyant.domain.secrets import SecretText
from support.patience import PATIENCE
from support.waiting import until

PASSWORD = SecretText("password")
# From the tests of the reference implementation, github.com/P-H-C/phc-winner-argon2.
REFERENCE = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"


@pytest.fixture
def hasher() -> Argon2idPasswordHasher:
    """A hasher with a low cost."""
    return Argon2idPasswordHasher(memory_kib=64, iterations=1)


def test_default_cost_is_the_recommended_one() -> None:
    # Runs in a separate process, because the test process lowers the cost.
    code = (
        "import asyncio\n"
        "from polyant.adapters.crypto.password_hasher import Argon2idPasswordHasher\n"
        "from polyant.domain.secrets import SecretText\n"
        "hasher = Argon2idPasswordHasher()\n"
        "hashed = asyncio.run(hasher.hash(SecretText('password')))\n"
        "print(hashed, asyncio.run(hasher.verify(SecretText('password'), hashed)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("$argon2id$v=19$m=65536,t=3,p=1$")
    assert done.stdout.endswith(" True\n")


@pytest.mark.parametrize("hashed", [None, "", "$argon2id$", "$2b$12$somebody-elses"])
async def test_missing_hash_costs_as_much_as_a_current_hash(
    monkeypatch: pytest.MonkeyPatch, hashed: str | None
) -> None:
    """Otherwise the duration of a login would reveal whether the user exists."""
    costs: list[dict[str, Any]] = []

    def watched(*, salt: bytes, **cost: Any) -> Argon2id:
        costs.append(cost)
        return Argon2id(salt=salt, **cost)

    monkeypatch.setattr("polyant.adapters.crypto.password_hasher.Argon2id", watched)
    hasher = Argon2idPasswordHasher(memory_kib=64, iterations=2)
    present = await hasher.hash(PASSWORD)
    assert not await hasher.verify(SecretText("wrong"), present)
    assert not await hasher.verify(PASSWORD, hashed)
    assert costs == [{"length": 32, "lanes": 1, "memory_cost": 64, "iterations": 2}] * 3


async def test_hash_of_the_reference_implementation_is_verified(hasher: Argon2idPasswordHasher) -> None:
    assert await hasher.verify(PASSWORD, REFERENCE)
    assert not await hasher.verify(SecretText("passwore"), REFERENCE)


@pytest.mark.parametrize(
    "changed",
    [
        REFERENCE.replace("m=256", "m=257"),
        REFERENCE.replace("m=256", "m=1"),
        REFERENCE.replace("t=2", "t=1"),
        REFERENCE.replace("t=2", "t=0"),
        REFERENCE.replace("p=1", "p=4"),
        REFERENCE.replace("v=19", "v=16"),
        REFERENCE.replace("argon2id", "argon2i"),
        REFERENCE.replace("c29tZXNhbHQ", "d29tZXNhbHQ"),
        REFERENCE.replace("c29tZXNhbHQ", "A"),
        REFERENCE.replace("nf65", "of65"),
        REFERENCE + "\n",
        REFERENCE + "=",
    ],
)
async def test_modified_hash_is_not_verified(hasher: Argon2idPasswordHasher, changed: str) -> None:
    assert not await hasher.verify(PASSWORD, changed)


class WatchedPasswordHasher(Argon2idPasswordHasher):
    """A hasher that records its maximum concurrency; each verification waits for a second one."""

    def __init__(self) -> None:
        super().__init__(memory_kib=64, iterations=1)
        self.max_running = 0
        self._running = 0
        self._lock = threading.Lock()
        self._both = threading.Barrier(2)

    def _verify(self, password: SecretText, hashed: str) -> bool:
        with self._lock:
            self._running += 1
            self.max_running = max(self.max_running, self._running)
        self._both.wait(timeout=PATIENCE)
        with self._lock:
            self._running -= 1
        return super()._verify(password, hashed)


async def test_at_most_two_passwords_are_hashed_at_once() -> None:
    hasher = WatchedPasswordHasher()
    assert all(await asyncio.gather(*(hasher.verify(PASSWORD, REFERENCE) for _ in range(8))))
    assert hasher.max_running == 2


class HeldPasswordHasher(Argon2idPasswordHasher):
    """A hasher with one thread that counts its verifications, each of which waits for the test."""

    def __init__(self) -> None:
        super().__init__(memory_kib=64, iterations=1, at_once=1)
        self.begun = 0
        self.release = threading.Event()

    def _verify(self, password: SecretText, hashed: str) -> bool:
        self.begun += 1
        self.release.wait(timeout=PATIENCE)
        return super()._verify(password, hashed)


async def test_closing_drops_queued_hashes_and_waits_for_those_that_have_begun() -> None:
    hasher = HeldPasswordHasher()
    async with hasher:
        first, *queued = [asyncio.ensure_future(hasher.verify(PASSWORD, REFERENCE)) for _ in range(10)]

        async def has_begun() -> bool:
            return hasher.begun == 1

        await until(has_begun)
        closing = asyncio.ensure_future(hasher.__aexit__(None, None, None))
        dropped = await asyncio.gather(*queued, return_exceptions=True)
        assert {type(result) for result in dropped} == {asyncio.CancelledError}
        assert not closing.done()
        hasher.release.set()
        await closing
        assert (await first, hasher.begun) == (True, 1)
    assert not any(thread.is_alive() for thread in hasher._threads._threads)
