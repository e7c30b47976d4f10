import math
from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from polyant.adapters.memory.rate_limiter import MemoryRateLimiter
from polyant.domain.limits import LimitState, RateLimit
from polyant.testing.manual_clock import ManualClock

TICK = 1 / 64  # all times are multiples of it, so floats represent them and their differences exactly

limits = st.builds(RateLimit, st.integers(1, 5), st.integers(1, 5))
pauses = st.sampled_from([0.0, TICK, 0.5, 1 - TICK, 1.0, 1 + TICK, 2.0, 5.0])
clients = st.sampled_from("abcde")


class NaiveLimiter:
    """A literal implementation of the rules that keeps every passed call."""

    def __init__(self, limit: RateLimit) -> None:
        self.limit = limit
        self.passed: dict[str, list[float]] = defaultdict(list)

    def used(self, key: str, now: float) -> int:
        return sum(now - at < self.limit.seconds for at in self.passed[key])

    def hit(self, key: str, now: float) -> LimitState:
        allowed = self.used(key, now) < self.limit.requests
        if allowed:
            self.passed[key].append(now)
        waits = range(self.limit.seconds + 1)
        return LimitState(
            allowed=allowed,
            limit=self.limit.requests,
            remaining=self.limit.requests - self.used(key, now),
            retry_after=next(wait for wait in waits if self.used(key, now + wait) < self.limit.requests),
            reset_after=next(wait for wait in waits if not self.used(key, now + wait)),
        )


@given(limits, st.lists(st.tuples(clients, pauses), max_size=100))
async def test_limiter_matches_the_naive_model(limit: RateLimit, calls: list[tuple[str, float]]) -> None:
    clock = ManualClock()
    limiter, law = MemoryRateLimiter(clock=clock), NaiveLimiter(limit)
    for client, pause in calls:
        clock.advance(pause)
        assert await limiter.hit(client, limit) == law.hit(client, clock.monotonic())


@given(limits, st.lists(st.tuples(clients, pauses), max_size=100))
async def test_window_never_holds_more_calls_than_the_limit(limit: RateLimit, calls: list[tuple[str, float]]) -> None:
    clock = ManualClock()
    limiter = MemoryRateLimiter(clock=clock)
    passed: dict[str, list[float]] = defaultdict(list)
    for client, pause in calls:
        clock.advance(pause)
        if (await limiter.hit(client, limit)).allowed:
            passed[client].append(clock.monotonic())
    for times in passed.values():
        assert all(late - early >= limit.seconds for early, late in zip(times, times[limit.requests :], strict=False))


@given(limits, st.lists(pauses, max_size=30))
async def test_refused_client_passes_exactly_when_its_oldest_call_expires(limit: RateLimit, gaps: list[float]) -> None:
    clock = ManualClock()
    limiter = MemoryRateLimiter(clock=clock)
    passed: list[float] = []
    for gap in (*gaps, *[0.0] * limit.requests):
        clock.advance(gap)
        if (await limiter.hit("a", limit)).allowed:
            passed.append(clock.monotonic())
    left = passed[-limit.requests] + limit.seconds - clock.monotonic()
    assert (await limiter.hit("a", limit)).retry_after == math.ceil(left)
    clock.advance(left - TICK)
    assert not (await limiter.hit("a", limit)).allowed
    clock.advance(TICK)
    assert (await limiter.hit("a", limit)).allowed


async def test_call_expires_exactly_at_the_end_of_the_window() -> None:
    clock = ManualClock()
    limiter = MemoryRateLimiter(clock=clock)
    assert (await limiter.hit("a", RateLimit(1, 60))).allowed
    clock.advance(math.nextafter(60, 0))
    refused = await limiter.hit("a", RateLimit(1, 60))
    assert (refused.allowed, refused.retry_after, refused.reset_after) == (False, 1, 1)
    clock.advance(60 - clock.monotonic())
    assert (await limiter.hit("a", RateLimit(1, 60))).allowed


async def test_lowered_limit_waits_until_enough_calls_have_expired() -> None:
    clock = ManualClock()
    limiter = MemoryRateLimiter(clock=clock)
    for _ in range(3):
        await limiter.hit("a", RateLimit(3, 60))
        clock.advance(10)
    refused = await limiter.hit("a", RateLimit(2, 60))
    assert (refused.retry_after, refused.reset_after) == (40, 50)  # the call made at 10 s frees a place
    clock.advance(39)
    assert not (await limiter.hit("a", RateLimit(2, 60))).allowed
    clock.advance(1)
    assert (await limiter.hit("a", RateLimit(2, 60))).allowed


async def test_next_call_removes_expired_keys() -> None:
    clock = ManualClock()
    limiter = MemoryRateLimiter(clock=clock)
    for number in range(50):
        await limiter.hit(f"gone {number}", RateLimit(2, 60))
        await limiter.hit("stays", RateLimit(1_000, 60))
    clock.advance(30)
    await limiter.hit("stays", RateLimit(1_000, 60))
    assert limiter.held_keys == 51
    clock.advance(30)
    await limiter.hit("another", RateLimit(2, 60))
    assert limiter.held_keys == 2


async def test_expired_keys_are_removed_in_small_steps() -> None:
    clock = ManualClock()
    limiter = MemoryRateLimiter(clock=clock)
    for number in range(1_000):
        await limiter.hit(f"flood {number}", RateLimit(1, 60))
    clock.advance(60)
    await limiter.hit("a", RateLimit(20, 60))
    assert limiter.held_keys > 800
    for _ in range(9):
        await limiter.hit("a", RateLimit(20, 60))
    assert limiter.held_keys == 1
