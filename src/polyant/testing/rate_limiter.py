"""Contract of the port RateLimiter."""

import asyncio
from typing import Protocol

import pytest

from polyant.domain.errors import StorageUnavailableError
from polyant.domain.limits import LimitState, RateLimit
from polyant.domain.ports.rate_limiter import RateLimiter


class LimiterRig(Protocol):
    """A limiter with an empty log, and a way to let time pass for it.

    A limiter that reads its own clock, say a database's, is tested either in real time or by making its log older. In
    real time all tests together wait for some ten seconds, and what has to happen within a window has about half a
    second to do so.
    """

    limiter: RateLimiter

    async def advance(self, seconds: float) -> None:
        """Returns once the limiter's time is at least that many seconds later, and not much more."""

    async def held_keys(self) -> int:
        """Returns how many keys take room, after whatever the limiter does to clean up has had its occasion."""


class RateLimiterContract:
    """What every RateLimiter does; a subclass gives the rig."""

    @pytest.fixture
    def rig(self) -> LimiterRig:
        raise NotImplementedError("return a LimiterRig around the limiter under test")

    def test_it_has_the_shape_of_the_port(self, rig: LimiterRig) -> None:
        assert isinstance(rig.limiter, RateLimiter)

    async def test_as_many_calls_pass_as_the_limit_says(self, rig: LimiterRig) -> None:
        states = await hit(rig, "a", RateLimit(3, 60), times=5)
        assert [state.allowed for state in states] == [True, True, True, False, False]
        assert {state.limit for state in states} == {3}

    async def test_of_calls_at_once_no_more_pass_than_the_limit_says(self, rig: LimiterRig) -> None:
        states = await asyncio.gather(*(rig.limiter.hit("a", RateLimit(5, 60)) for _ in range(40)))
        assert sum(state.allowed for state in states) == 5

    async def test_the_window_slides_with_the_calls(self, rig: LimiterRig) -> None:
        """A fixed window, or one that starts anew, would let two pass at the end."""
        limit = RateLimit(2, 1)
        assert await passes(rig, "a", limit)
        await rig.advance(0.5)
        assert await passes(rig, "a", limit)
        await rig.advance(0.5)
        assert await passes(rig, "a", limit)
        assert not await passes(rig, "a", limit)

    async def test_refused_call_is_not_counted(self, rig: LimiterRig) -> None:
        await hit(rig, "a", RateLimit(2, 1), times=6)
        await rig.advance(1)
        states = await hit(rig, "a", RateLimit(2, 1), times=2)
        assert [state.allowed for state in states] == [True, True]

    async def test_refused_call_does_not_lengthen_the_wait(self, rig: LimiterRig) -> None:
        limit = RateLimit(1, 1)
        assert await passes(rig, "a", limit)
        await rig.advance(0.5)
        assert not await passes(rig, "a", limit)
        await rig.advance(0.5)
        assert await passes(rig, "a", limit)

    async def test_keys_do_not_affect_each_other(self, rig: LimiterRig) -> None:
        limit = RateLimit(1, 60)
        assert await passes(rig, "a", limit)
        assert await passes(rig, "b", limit)
        assert not await passes(rig, "a", limit)

    async def test_expiry_of_one_key_leaves_the_others_counted(self, rig: LimiterRig) -> None:
        limit = RateLimit(1, 1)
        assert await passes(rig, "a", limit)
        await rig.advance(0.5)
        assert await passes(rig, "b", limit)
        await rig.advance(0.5)
        assert await passes(rig, "a", limit)
        assert not await passes(rig, "b", limit)

    async def test_call_leaves_the_log_after_the_window(self, rig: LimiterRig) -> None:
        before = await rig.limiter.hit("a", RateLimit(3, 1))
        await rig.advance(1)
        assert await rig.limiter.hit("a", RateLimit(3, 1)) == before

    async def test_key_with_an_empty_log_takes_no_room(self, rig: LimiterRig) -> None:
        for number in range(20):
            await rig.limiter.hit(f"key {number}", RateLimit(1, 1))
        await rig.advance(1)
        await rig.limiter.hit("another", RateLimit(1, 60))
        assert await rig.held_keys() == 1

    async def test_lowered_limit_counts_the_calls_already_made(self, rig: LimiterRig) -> None:
        await hit(rig, "a", RateLimit(2, 60))
        await rig.advance(1)
        await hit(rig, "a", RateLimit(2, 60))
        lowered = await rig.limiter.hit("a", RateLimit(1, 60))
        assert not lowered.allowed
        assert lowered.remaining == 0
        assert lowered.retry_after == lowered.reset_after  # both calls have to leave

    async def test_raised_limit_counts_the_calls_already_made(self, rig: LimiterRig) -> None:
        await hit(rig, "a", RateLimit(2, 60), times=2)
        states = await hit(rig, "a", RateLimit(4, 60), times=3)
        assert [state.allowed for state in states] == [True, True, False]

    async def test_shortened_window_frees_the_older_calls(self, rig: LimiterRig) -> None:
        await hit(rig, "a", RateLimit(2, 60), times=2)
        await rig.advance(1)
        assert await passes(rig, "a", RateLimit(2, 1))

    async def test_remaining_counts_the_calls_that_would_still_pass(self, rig: LimiterRig) -> None:
        states = await hit(rig, "a", RateLimit(3, 60), times=4)
        assert [state.remaining for state in states] == [2, 1, 0, 0]

    async def test_retry_after_is_0_while_another_call_would_pass(self, rig: LimiterRig) -> None:
        first, last, refused = await hit(rig, "a", RateLimit(2, 60), times=3)
        assert first.retry_after == 0
        assert last.retry_after in {59, 60}
        assert refused.retry_after in {59, 60}

    async def test_call_passes_after_retry_after(self, rig: LimiterRig) -> None:
        limit = RateLimit(1, 1)
        assert await passes(rig, "a", limit)
        await rig.advance(0.25)
        refused = await rig.limiter.hit("a", limit)
        assert refused.retry_after == 1  # 0.75, rounded up
        await rig.advance(refused.retry_after)
        assert await passes(rig, "a", limit)

    async def test_reset_after_is_the_time_until_the_log_is_empty(self, rig: LimiterRig) -> None:
        limit = RateLimit(2, 2)
        first = await rig.limiter.hit("a", limit)
        assert (first.retry_after, first.reset_after) == (0, 2)
        await rig.advance(1.25)  # which leaves the older call 0.75 s
        second = await rig.limiter.hit("a", limit)
        assert (second.retry_after, second.reset_after) == (1, 2)  # the older call frees a place, the later the whole


class RateLimiterOutageContract:
    """What a RateLimiter whose store can fail does besides; a subclass gives one whose store doesn't answer."""

    @pytest.fixture
    def unavailable(self) -> RateLimiter:
        raise NotImplementedError("return a RateLimiter whose store doesn't answer")

    async def test_log_that_cannot_be_reached_is_reported(self, unavailable: RateLimiter) -> None:
        with pytest.raises(StorageUnavailableError):
            await unavailable.hit("a", RateLimit(1, 60))


async def hit(rig: LimiterRig, key: str, limit: RateLimit, *, times: int = 1) -> list[LimitState]:
    """Returns what the limiter says of so many calls, one after the other."""
    return [await rig.limiter.hit(key, limit) for _ in range(times)]


async def passes(rig: LimiterRig, key: str, limit: RateLimit) -> bool:
    """Returns whether one more call passes."""
    return (await rig.limiter.hit(key, limit)).allowed
