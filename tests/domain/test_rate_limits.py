from collections.abc import Sequence

import pytest

from polyant.adapters.memory.rate_limiter import MemoryRateLimiter
from polyant.domain.errors import RateLimitedError
from polyant.domain.instances import Slug
from polyant.domain.limits import RateLimit
from polyant.domain.ports.rate_policy import CallerLimit, RateCaller, RatePolicy
from polyant.domain.rate_limits import CallerLimits
from polyant.testing.manual_clock import ManualClock

CALLER = RateCaller(address="203.0.113.7", instance=Slug("bot"), key_id="key_0123456789ab")


class KeyPolicy(RatePolicy):
    """Limits keys, and instances after them."""

    def limits_of(self, caller: RateCaller) -> Sequence[CallerLimit]:
        if caller.key_id is None:
            return ()
        return (CallerLimit(f"key:{caller.key_id}", RateLimit(2, 60)), CallerLimit("instance", RateLimit(3, 60)))


@pytest.fixture
def limits() -> CallerLimits:
    return CallerLimits(policy=KeyPolicy(), limiter=MemoryRateLimiter(clock=ManualClock()))


async def test_calls_are_counted_against_every_limit(limits: CallerLimits) -> None:
    await limits.require(CALLER)
    await limits.require(CALLER)
    with pytest.raises(RateLimitedError) as caught:
        await limits.require(CALLER)
    assert caught.value.retry_after == 60
    other = RateCaller(key_id="key_other")
    await limits.require(other)
    with pytest.raises(RateLimitedError):
        await limits.require(other)


async def test_call_over_a_limit_is_not_counted_for_the_next_ones(limits: CallerLimits) -> None:
    states = [await limits.count(CALLER) for _ in range(9)]
    assert [state.allowed for state in states if state is not None] == [True, True, *[False] * 7]
    assert (await limits.count(RateCaller(key_id="key_other"))) is not None


async def test_nearest_limit_is_returned(limits: CallerLimits) -> None:
    first = await limits.count(CALLER)
    assert first is not None
    assert (first.limit, first.remaining) == (2, 1)


async def test_caller_without_limits_passes(limits: CallerLimits) -> None:
    assert await limits.count(RateCaller()) is None
    await limits.require(RateCaller())
