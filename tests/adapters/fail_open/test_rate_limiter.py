import logging

import pytest

from polyant.adapters.fail_open.rate_limiter import FailOpenRateLimiter
from polyant.adapters.memory.rate_limiter import MemoryRateLimiter
from polyant.domain.errors import StorageUnavailableError
from polyant.domain.limits import LimitState, RateLimit
from polyant.domain.ports.rate_limiter import RateLimiter
from polyant.testing.manual_clock import ManualClock

LIMIT = RateLimit(1, 60)


class FlakyRateLimiter(RateLimiter):
    """A rate limiter that loses its log when the test asks for it."""

    def __init__(self, inner: RateLimiter) -> None:
        self._inner = inner
        self.lost = False

    async def hit(self, key: str, limit: RateLimit) -> LimitState:
        if self.lost:
            raise StorageUnavailableError
        return await self._inner.hit(key, limit)

    async def peek(self, key: str, limit: RateLimit) -> LimitState:
        if self.lost:
            raise StorageUnavailableError
        return await self._inner.peek(key, limit)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def flaky(clock: ManualClock) -> FlakyRateLimiter:
    return FlakyRateLimiter(MemoryRateLimiter(clock=clock))


@pytest.fixture
def limiter(flaky: FlakyRateLimiter, clock: ManualClock) -> FailOpenRateLimiter:
    return FailOpenRateLimiter(flaky, clock=clock)


async def test_calls_pass_uncounted_while_the_log_is_lost(
    limiter: FailOpenRateLimiter, flaky: FlakyRateLimiter
) -> None:
    flaky.lost = True
    states = [await limiter.hit("a", LIMIT) for _ in range(3)]
    states.append(await limiter.peek("a", LIMIT))
    assert [(state.allowed, state.counted) for state in states] == [(True, False)] * 4


async def test_calls_are_counted_again_afterwards(limiter: FailOpenRateLimiter, flaky: FlakyRateLimiter) -> None:
    before = await limiter.hit("a", LIMIT)
    flaky.lost = True
    await limiter.hit("a", LIMIT)
    flaky.lost = False
    after = await limiter.hit("a", LIMIT)
    assert [(state.allowed, state.counted) for state in (before, after)] == [(True, True), (False, True)]


async def test_outage_is_logged_at_once_and_then_once_a_minute(
    limiter: FailOpenRateLimiter, flaky: FlakyRateLimiter, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    flaky.lost = True
    for _ in range(7):  # one call every ten seconds
        await limiter.hit("a", LIMIT)
        clock.advance(10)
    assert [message.rpartition(" ")[2] for message in caplog.messages] == ["1", "7"]


async def test_other_errors_are_raised(clock: ManualClock) -> None:
    class BrokenRateLimiter(FlakyRateLimiter):
        async def hit(self, key: str, limit: RateLimit) -> LimitState:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await FailOpenRateLimiter(BrokenRateLimiter(MemoryRateLimiter(clock=clock)), clock=clock).hit("a", LIMIT)
