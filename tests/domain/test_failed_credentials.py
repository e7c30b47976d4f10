import asyncio
import gc
from datetime import UTC, datetime

import pytest

from polyant.adapters.memory.rate_limiter import MemoryRateLimiter
from polyant.adapters.system.token_source import SystemTokenSource
from polyant.domain.access import InvalidCredentialError, Session
from polyant.domain.errors import RateLimitedError, StorageUnavailableError
from polyant.domain.failed_credentials import MAX_PROVEN, PROVEN_SECONDS, FailedCredentialLimit
from polyant.domain.limits import LimitState, RateLimit
from polyant.domain.ports.session_tokens import SessionTokens
from polyant.domain.secrets import SecretText
from polyant.testing.manual_clock import ManualClock

NETWORK = "203.0.113.7"
GOOD = "a-good-credential"
SESSION = Session(user_id="user-1", token_id="token-1", expires_at=datetime(2027, 1, 1, tzinfo=UTC))
OPEN_SESSION, ENDED_SESSION = "signed open", "signed ended"


class CountingRateLimiter(MemoryRateLimiter):
    """A rate limiter that counts its calls."""

    calls = 0

    async def hit(self, key: str, limit: RateLimit) -> LimitState:
        self.calls += 1
        return await super().hit(key, limit)

    async def peek(self, key: str, limit: RateLimit) -> LimitState:
        self.calls += 1
        return await super().peek(key, limit)


class SignedTokens(SessionTokens):
    """Session tokens that are valid if they begin with `signed`."""

    def issue(self, session: Session) -> SecretText:
        return SecretText(f"signed {session.token_id}")

    def verify(self, token: SecretText) -> Session | None:
        return SESSION if token.reveal().startswith("signed") else None


class Rig:
    """One or several workers that share a limiter."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.limiter = CountingRateLimiter(clock=self.clock)
        self.worker, self.other_worker = (
            FailedCredentialLimit(
                limiter=self.limiter, clock=self.clock, tokens=SystemTokenSource(), session_tokens=SignedTokens()
            )
            for _ in range(2)
        )

    async def check(
        self, credential: str, *, network: str = NETWORK, worker: FailedCredentialLimit | None = None
    ) -> bool | None:
        """Returns whether the credential is valid, or None if it is refused without a check."""
        looked_up = False

        async def checking() -> None:
            nonlocal looked_up
            looked_up = True
            await look_up(credential)

        try:
            await (worker or self.worker).checked(SecretText(credential), checking, network=network)
        except InvalidCredentialError:
            return False
        except RateLimitedError:
            assert not looked_up
            return None
        return True

    async def fail(self, times: int) -> None:
        for number in range(times):
            assert await self.check(f"wrong {number}") is False


async def look_up(credential: str) -> None:
    await asyncio.sleep(0)
    if credential not in {GOOD, OPEN_SESSION}:
        raise InvalidCredentialError("no")


async def found() -> str:
    return "its owner"


async def fail_to_look_up() -> None:
    raise StorageUnavailableError


@pytest.fixture
def rig() -> Rig:
    return Rig()


async def test_after_30_failures_nothing_is_checked_for_a_minute(rig: Rig) -> None:
    await rig.fail(30)
    assert await rig.check("wrong") is None
    assert await rig.check(GOOD) is None
    rig.clock.advance(59.5)
    assert await rig.check(GOOD) is None
    rig.clock.advance(0.5)
    assert await rig.check(GOOD) is True


async def test_workers_share_the_count(rig: Rig) -> None:
    await rig.fail(15)
    for _ in range(15):
        assert await rig.check("wrong", worker=rig.other_worker) is False
    assert await rig.check(GOOD) is None
    assert await rig.check(GOOD, worker=rig.other_worker) is None


async def test_concurrent_guesses_do_not_exceed_the_limit(rig: Rig) -> None:
    results = await asyncio.gather(*(rig.check(f"guess {number}") for number in range(200)))
    assert (results.count(False), results.count(None)) == (30, 170)


async def test_networks_are_independent(rig: Rig) -> None:
    await rig.fail(30)
    assert await rig.check("wrong", network="203.0.113.8") is False
    assert await rig.check(GOOD, network="203.0.113.8") is True


async def test_proven_credential_stays_usable_from_its_network_for_24_hours(rig: Rig) -> None:
    assert await rig.check(GOOD) is True
    await rig.fail(30)
    assert await rig.check(GOOD) is True
    rig.clock.advance(PROVEN_SECONDS)
    await rig.fail(30)
    assert await rig.check(GOOD) is None


async def test_credential_is_proven_only_for_the_network_and_worker_that_saw_it(rig: Rig) -> None:
    assert await rig.check(GOOD, network="203.0.113.8") is True
    await rig.fail(30)
    assert await rig.check(GOOD) is None
    assert await rig.check(GOOD, worker=rig.other_worker, network="203.0.113.8") is True


async def test_proven_credential_that_becomes_invalid_is_counted_like_any_other(rig: Rig) -> None:
    assert await rig.worker.checked(SecretText("revoked later"), found, network=NETWORK) == "its owner"
    results = [await rig.check("revoked later") for _ in range(31)]
    assert results == [False] * 31  # checked, because it was proven
    assert await rig.check("wrong") is None


async def test_session_token_with_a_valid_signature_is_no_guess(rig: Rig) -> None:
    """Also in a worker that hasn't seen it, so that every worker accepts a valid session."""
    await rig.fail(30)
    for worker in (rig.worker, rig.other_worker):
        assert await rig.check("forged", worker=worker) is None
        assert await rig.check(OPEN_SESSION, worker=worker) is True
        assert await rig.check("forged", worker=worker) is None


async def test_ended_session_is_invalid_and_counts_like_any_other_credential(rig: Rig) -> None:
    assert [await rig.check(ENDED_SESSION) for _ in range(30)] == [False] * 30
    assert await rig.check("wrong") is None
    before = rig.limiter.calls
    assert await rig.check(ENDED_SESSION) is False  # checked, because it is signed
    assert rig.limiter.calls == before
    assert await rig.check(ENDED_SESSION, worker=rig.other_worker) is False
    rig.clock.advance(60)
    assert await rig.check("wrong") is False


async def test_other_errors_neither_count_nor_prove(rig: Rig) -> None:
    for _ in range(40):
        with pytest.raises(StorageUnavailableError):
            await rig.worker.checked(SecretText(GOOD), fail_to_look_up, network=NETWORK)
    await rig.fail(30)
    assert await rig.check(GOOD) is None


async def test_proven_pairs_are_bounded_and_the_oldest_is_forgotten_first(rig: Rig) -> None:
    for number in range(MAX_PROVEN):
        await rig.check(GOOD, network=f"network {number}")
    assert await rig.check(GOOD, network="network 0") is True
    await rig.check(GOOD, network="one more")
    for network, expected in (("network 0", True), ("network 1", None), ("one more", True)):
        for number in range(30):
            assert await rig.check(f"wrong {number}", network=network) is False
        assert await rig.check(GOOD, network=network) is expected


async def test_flood_over_the_limit_does_not_reach_the_limiter(rig: Rig) -> None:
    await rig.fail(30)
    await rig.check("wrong")
    before = rig.limiter.calls
    for number in range(1_000):
        assert await rig.check(f"flood {number}") is None
    assert rig.limiter.calls == before


async def test_proven_credential_does_not_ask_the_limiter(rig: Rig) -> None:
    await rig.check(GOOD)
    before = rig.limiter.calls
    await rig.check(GOOD)
    assert rig.limiter.calls == before


async def test_memory_does_not_grow_with_distinct_networks_and_credentials(rig: Rig) -> None:
    for number in range(MAX_PROVEN + 500):
        await rig.check(f"wrong {number}", network=f"network {number}")
        for _ in range(0 if number % 100 else 31):
            await rig.check("wrong", network=f"network {number}")
        rig.clock.advance(1)
    gc.collect()
    held = rig.worker
    assert len(held._locks) == len(held._proven._ends) == 0
    assert len(held._refused._ends) <= MAX_PROVEN
    assert rig.limiter.held_keys <= 60


async def test_credential_is_not_kept_in_memory(rig: Rig) -> None:
    await rig.check(GOOD)
    assert GOOD not in repr(vars(rig.worker)) + repr(vars(rig.worker._proven))
