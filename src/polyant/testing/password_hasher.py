"""The contract of the port PasswordHasher."""

import asyncio
import re
import time

import pytest

from polyant.domain.ports.password_hasher import PasswordHasher
from polyant.domain.secrets import SecretText
from polyant.testing.contract import Contract, proves

_PASSWORD = SecretText("correct horse battery staple")
_ROUNDS = 5
_MANY = 100


class PasswordHasherContract(Contract):
    """The tests that every PasswordHasher must pass; subclasses provide one that takes a few milliseconds per hash."""

    @pytest.fixture
    def hasher(self) -> PasswordHasher:
        raise NotImplementedError(
            "return a PasswordHasher that takes a few milliseconds per hash, so that tests are fast"
        )

    def test_implements_the_port(self, hasher: PasswordHasher) -> None:
        assert isinstance(hasher, PasswordHasher)

    @proves("Returns whether the password matches the hash.")
    @pytest.mark.parametrize("password", ["correct horse", "", "päß 🔑", "\ud800", "a\0b", "x" * 1_024])
    async def test_hash_matches_its_password(self, hasher: PasswordHasher, password: str) -> None:
        assert await hasher.verify(SecretText(password), await hasher.hash(SecretText(password)))

    @proves("Returns whether the password matches the hash.")
    @pytest.mark.parametrize("wrong", ["", "Correct horse", "correct horse ", "correct hors", "correct horse\0"])
    async def test_hash_matches_no_other_password(self, hasher: PasswordHasher, wrong: str) -> None:
        assert not await hasher.verify(SecretText(wrong), await hasher.hash(SecretText("correct horse")))

    async def test_every_character_of_long_password_is_verified(self, hasher: PasswordHasher) -> None:
        hashed = await hasher.hash(SecretText("x" * 1_024))
        assert not await hasher.verify(SecretText("x" * 1_023 + "y"), hashed)

    @proves("Returns a hash that contains its algorithm and parameters and differs on each call.")
    async def test_hashes_differ_and_do_not_contain_password(self, hasher: PasswordHasher) -> None:
        hashes = {await hasher.hash(_PASSWORD) for _ in range(3)}
        assert len(hashes) == 3
        assert not any("horse" in hashed for hashed in hashes)

    @proves("Returns a hash that contains its algorithm and parameters and differs on each call.")
    async def test_hash_contains_algorithm_and_parameters(self, hasher: PasswordHasher) -> None:
        """The layout is that of the modular crypt format and the PHC string format."""
        assert re.match(r"\A\$[a-z0-9-]+\$[!-~]*[0-9][!-~]*\$[!-~]+\Z", await hasher.hash(_PASSWORD))

    @proves("A missing or malformed hash takes as long to verify and returns False.")
    @pytest.mark.parametrize("hashed", [None, "", "horse", "$", "$argon2id$", "$2b$12$short", "\ud800", "é" * 99])
    async def test_missing_or_malformed_hash_matches_no_password(
        self, hasher: PasswordHasher, hashed: str | None
    ) -> None:
        for password in (_PASSWORD, SecretText(""), SecretText(hashed or "None")):
            assert not await hasher.verify(password, hashed)

    async def test_truncated_hash_matches_nothing(self, hasher: PasswordHasher) -> None:
        hashed = await hasher.hash(_PASSWORD)
        for length in range(0, len(hashed), 7):
            assert not await hasher.verify(_PASSWORD, hashed[:length])

    @proves("A missing or malformed hash takes as long to verify and returns False.")
    @pytest.mark.parametrize("hashed", [None, "horse"])
    async def test_verifying_without_hash_takes_as_long(self, hasher: PasswordHasher, hashed: str | None) -> None:
        """Measured in CPU time, so that a busy machine doesn't matter."""
        real = await hasher.hash(_PASSWORD)
        with_hash = min([await cost_of(hasher, real) for _ in range(_ROUNDS)])
        without = min([await cost_of(hasher, hashed) for _ in range(_ROUNDS)])
        assert with_hash / 2 < without < with_hash * 2

    @proves("Hashes passwords with a deliberately slow algorithm, without blocking the event loop.")
    async def test_hashing_does_not_block_event_loop(self, hasher: PasswordHasher) -> None:
        hashed = await hasher.hash(_PASSWORD)
        for work in (hasher.hash(_PASSWORD), hasher.verify(_PASSWORD, hashed), hasher.verify(_PASSWORD, None)):
            task = asyncio.ensure_future(work)
            await asyncio.sleep(0)  # runs the task up to its first real wait
            assert not task.done()
            await task

    @proves("Work for a cancelled call is dropped, unless it has begun.")
    async def test_work_for_cancelled_calls_is_dropped(self, hasher: PasswordHasher) -> None:
        """Measured in CPU time; the work that has begun may end."""
        hashed = await hasher.hash(_PASSWORD)
        one = min([await cost_of(hasher, hashed) for _ in range(_ROUNDS)])
        begin = time.process_time()
        calls = [asyncio.ensure_future(hasher.verify(_PASSWORD, hashed)) for _ in range(_MANY)]
        await asyncio.sleep(0)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        await hasher.verify(_PASSWORD, hashed)  # comes after any work that wasn't dropped
        assert time.process_time() - begin < _MANY / 2 * one

    async def test_concurrent_hashing_and_verification_work(self, hasher: PasswordHasher) -> None:
        passwords = [SecretText(f"password {number}") for number in range(10)]
        hashes = await asyncio.gather(*(hasher.hash(password) for password in passwords))
        assert all(await asyncio.gather(*map(hasher.verify, passwords, hashes)))
        assert not any(await asyncio.gather(*map(hasher.verify, passwords, reversed(hashes))))


async def cost_of(hasher: PasswordHasher, hashed: str | None) -> float:
    """Returns the seconds of CPU time for verifying a wrong password."""
    begin = time.process_time()
    await hasher.verify(SecretText("wrong"), hashed)
    return time.process_time() - begin
