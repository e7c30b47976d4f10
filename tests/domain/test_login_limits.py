import hashlib
from datetime import timedelta

import pytest

from polyant.adapters.crypto.secret_cipher import AesGcmSecretCipher
from polyant.adapters.memory.login_history import MemoryLoginHistory
from polyant.adapters.memory.rate_limiter import MemoryRateLimiter
from polyant.domain.errors import RateLimitedError
from polyant.domain.limits import LimitState, RateLimit
from polyant.domain.login_limits import KNOWN_FOR, LoginLimits
from polyant.domain.secrets import SecretText
from polyant.testing.manual_clock import ManualClock

EMAIL = "ada@example.com"
KEYS = ("0f" * 32, "1e" * 32)


class KeyRecordingRateLimiter(MemoryRateLimiter):
    """A rate limiter that records its keys."""

    def __init__(self, *, clock: ManualClock) -> None:
        super().__init__(clock=clock)
        self.keys: list[str] = []

    async def hit(self, key: str, limit: RateLimit) -> LimitState:
        self.keys.append(key)
        return await super().hit(key, limit)


class Rig:
    """Servers with different master keys on one store."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.limiter = KeyRecordingRateLimiter(clock=self.clock)
        self.history = MemoryLoginHistory()

    def limits(self, *keys: str) -> LoginLimits:
        cipher = AesGcmSecretCipher(master_keys=[SecretText(key) for key in keys or KEYS[:1]])
        return LoginLimits(limiter=self.limiter, history=self.history, cipher=cipher, clock=self.clock)

    async def attempts(self, number: int, network: str, *, email: str = EMAIL) -> int:
        """Returns how many of that many attempts pass."""
        passed = 0
        for _ in range(number):
            try:
                await self.limits().count_attempt(await self.limits().origin_of(email, network=network))
                passed += 1
            except RateLimitedError:
                pass
        return passed

    async def log_in(self, network: str) -> None:
        await self.limits().remember(await self.limits().origin_of(EMAIL, network=network))


@pytest.fixture
def rig() -> Rig:
    return Rig()


async def test_account_has_5_attempts_a_minute_from_each_network(rig: Rig) -> None:
    assert await rig.attempts(7, "a") == 5
    assert await rig.attempts(7, "b") == 5
    rig.clock.advance(60)
    assert await rig.attempts(7, "a") == 5


async def test_account_has_30_attempts_an_hour_from_all_unknown_networks(rig: Rig) -> None:
    assert [await rig.attempts(7, f"network {number}") for number in range(7)] == [5] * 6 + [0]
    rig.clock.advance(3_600)
    assert await rig.attempts(7, "another") == 5


async def test_attempts_from_unknown_networks_do_not_concern_known_ones(rig: Rig) -> None:
    await rig.log_in("home")
    for number in range(10):
        await rig.attempts(5, f"network {number}")
    assert await rig.attempts(7, "home") == 5
    assert await rig.attempts(1, "new") == 0


async def test_attempts_from_known_networks_do_not_use_up_those_of_unknown_ones(rig: Rig) -> None:
    await rig.log_in("home")
    for _ in range(20):
        assert await rig.attempts(5, "home") == 5
        rig.clock.advance(60)
    assert await rig.attempts(5, "new") == 5


async def test_network_is_known_only_to_the_account_that_logged_in(rig: Rig) -> None:
    await rig.log_in("home")
    for number in range(6):
        await rig.attempts(5, f"network {number}", email="bob@example.com")
    assert await rig.attempts(1, "home", email="bob@example.com") == 0


async def test_network_is_known_for_30_days_since_the_last_login(rig: Rig) -> None:
    await rig.log_in("home")
    rig.clock.advance((KNOWN_FOR - timedelta(seconds=1)).total_seconds())
    assert (await rig.limits().origin_of(EMAIL, network="home")).is_known
    await rig.log_in("home")
    rig.clock.advance(KNOWN_FOR.total_seconds() - 1)
    assert (await rig.limits().origin_of(EMAIL, network="home")).is_known
    rig.clock.advance(1)
    assert not (await rig.limits().origin_of(EMAIL, network="home")).is_known


async def test_network_stays_known_while_a_master_key_is_replaced(rig: Rig) -> None:
    old, new = KEYS
    origin = await rig.limits(old).origin_of(EMAIL, network="home")
    await rig.limits(old).remember(origin)
    assert (await rig.limits(new, old).origin_of(EMAIL, network="home")).is_known
    assert not (await rig.limits(new).origin_of(EMAIL, network="home")).is_known


async def test_spellings_of_an_email_address_are_one_account(rig: Rig) -> None:
    spellings = ("ada@example.com", " Ada@Example.com\n", "ADA@EXAMPLE.COM\u3000")
    origins = {await rig.limits().origin_of(spelling, network="home") for spelling in spellings}
    assert len(origins) == 1


async def test_account_and_network_cannot_be_confused(rig: Rig) -> None:
    pairs = (("a b", "c"), ("a", "b c"), ("a", "c"), ("1:a", "c"), ("a\n", "b c"))
    origins = [await rig.limits().origin_of(email, network=network) for email, network in pairs]
    assert len({origin.pairs for origin in origins}) == len(pairs) - 1  # a line end at the edge doesn't count


async def test_neither_account_nor_network_can_be_guessed_from_what_is_stored(rig: Rig) -> None:
    await rig.log_in("203.0.113.7")
    await rig.attempts(1, "203.0.113.7")
    await rig.limits().count_password_change(EMAIL)
    stored = " ".join([*rig.limiter.keys, *rig.history._ends])
    for text in (EMAIL, "203.0.113.7"):
        assert text not in stored
        assert hashlib.sha256(text.encode()).hexdigest() not in stored


async def test_keys_of_the_limiter_have_a_bounded_length(rig: Rig) -> None:
    await rig.attempts(1, "n", email="x" * 100_000)
    await rig.limits().count_password_change("x" * 100_000)
    assert max(map(len, rig.limiter.keys)) < 100


async def test_network_has_20_logins_a_minute(rig: Rig) -> None:
    for _ in range(20):
        await rig.limits().count_request("a")
    with pytest.raises(RateLimitedError):
        await rig.limits().count_request("a")
    await rig.limits().count_request("b")


async def test_password_changes_have_limits_of_their_own(rig: Rig) -> None:
    for number in range(10):
        await rig.attempts(5, f"network {number}")
    for _ in range(5):
        await rig.limits().count_password_change(EMAIL)
    with pytest.raises(RateLimitedError):
        await rig.limits().count_password_change(f" {EMAIL.upper()}")
