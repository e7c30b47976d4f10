"""The contract of the port RateLimiter."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import ClassVar, Protocol

import msgspec
import pytest

from polyant.domain.errors import StorageUnavailableError
from polyant.domain.limits import LimitState, RateLimit
from polyant.domain.ports.rate_limiter import RateLimiter
from polyant.testing.contract import Contract, proves, requires
from polyant.testing.limiter_processes import hits_in_processes
from polyant.testing.manual_clock import ManualClock

_DAY = 86_400
_LARGE = 250

_LONG = "0123456789abcdef" * 30
SIMILAR_KEYS = (
    *(
        "a",
        "A",
        " a",
        "a ",
        "a\n",
        "a_",
        "a%",
        "a*",
        "{a}b",
        "{a}c",
        "a:b",
        "a;b",
        "a|b",
        "a/b",
        "a%3Ab",
        "a\\b",
        "a'b",
    ),
    *("\u00e9", "e\u0301", "e", "\u00c9", "\u00df", "ss", "\u0131", "i", "I", "\u0130", "1", "\uff11", "01", "1.0"),
    *("\U0001f41c", "\U0001f41b", "\u200ba", "", "None", "none", "null"),
    *(_LONG, _LONG[:-1], f"{_LONG}0", f"{_LONG}1", f"{_LONG}1:", f"{_LONG} ", _LONG.upper()),
    *(f"{'é' * 255}a", f"{'é' * 255}b"),
)
"""Keys that a limiter may confuse: they differ in case, Unicode form, length, wildcards, or only at the end."""


class LimiterCapabilities(msgspec.Struct, frozen=True, kw_only=True):
    """The capabilities of a limiter and its rig."""

    shared: bool = True
    """Several processes share the log. False for a limiter in the memory of one process."""
    long_waits: bool = True
    """The rig can advance by a day. False for a rig that waits in real time."""


class LimiterRig(Protocol):
    """A limiter with an empty log, and control over its time.

    A limiter that reads its own clock, such as a database's, is tested either in real time or by ageing its log. In
    real time, all tests together wait for about ten seconds, and the calls that belong to one window have about half a
    second.
    """

    limiter: RateLimiter

    async def advance(self, seconds: float) -> None:
        """Returns once the limiter's time has advanced by at least that many seconds, and not much more."""

    async def held_keys(self) -> int:
        """Returns the number of keys that use memory or storage, after the limiter's clean-up has had time to run."""


class SharedLimiterRig(LimiterRig, Protocol):
    """The rig of a limiter whose log several processes share."""

    opener: Callable[[], AbstractAsyncContextManager[RateLimiter]]
    """Opens another limiter on the same store. It can be pickled, because other processes call it, too: for example
    `functools.partial` of a function at the top level of a module that other processes can import."""


class ClockedLimiterRig(LimiterRig):
    """The rig of a limiter that reads a Clock.

    Args:
        limiter: The limiter under test.
        clock: Its clock.
        held_keys: Returns the number of keys that use memory or storage.
    """

    def __init__(self, limiter: RateLimiter, clock: ManualClock, held_keys: Callable[[], int]) -> None:
        self.limiter = limiter
        self._clock = clock
        self._held_keys = held_keys

    async def advance(self, seconds: float) -> None:
        self._clock.advance(seconds)

    async def held_keys(self) -> int:
        return self._held_keys()


class RateLimiterContract(Contract):
    """The tests that every RateLimiter must pass; subclasses provide the rig.

    A limiter with the capability `shared` needs a SharedLimiterRig.
    """

    capabilities: ClassVar[LimiterCapabilities] = LimiterCapabilities()

    @pytest.fixture
    def rig(self) -> LimiterRig:
        raise NotImplementedError("return a LimiterRig around the limiter under test")

    def test_implements_the_port(self, rig: LimiterRig) -> None:
        assert isinstance(rig.limiter, RateLimiter)

    @proves("Counts one call of `key` and returns whether it passes.")
    async def test_calls_up_to_limit_pass(self, rig: LimiterRig) -> None:
        states = await hit(rig, "a", RateLimit(3, 60), times=5)
        assert [state.allowed for state in states] == [True, True, True, False, False]
        assert {state.limit for state in states} == {3}

    @proves("A sliding log: no window of `limit.seconds` ever holds more than `limit.requests` calls of one key.")
    async def test_large_limit_is_exact(self, rig: LimiterRig) -> None:
        states = await hit(rig, "a", RateLimit(_LARGE, 60), times=_LARGE + 2)
        assert [state.allowed for state in states] == [*[True] * _LARGE, False, False]
        assert [state.remaining for state in states] == [*reversed(range(_LARGE)), 0, 0]

    @proves("A sliding log: no window of `limit.seconds` ever holds more than `limit.requests` calls of one key.")
    async def test_concurrent_calls_do_not_exceed_limit(self, rig: LimiterRig) -> None:
        states = await asyncio.gather(*(rig.limiter.hit("a", RateLimit(5, 60)) for _ in range(40)))
        assert sum(state.allowed for state in states) == 5

    @proves("A sliding log: no window of `limit.seconds` ever holds more than `limit.requests` calls of one key.")
    async def test_window_slides_with_calls(self, rig: LimiterRig) -> None:
        """A fixed window, or one that restarts, would let two calls pass at the end."""
        limit = RateLimit(2, 1)
        assert await passes(rig, "a", limit)
        await rig.advance(0.5)
        assert await passes(rig, "a", limit)
        await rig.advance(0.5)
        assert await passes(rig, "a", limit)
        assert not await passes(rig, "a", limit)

    @proves("A refused call isn't counted and doesn't extend the wait.")
    async def test_refused_call_is_not_counted(self, rig: LimiterRig) -> None:
        await hit(rig, "a", RateLimit(2, 1), times=6)
        await rig.advance(1)
        states = await hit(rig, "a", RateLimit(2, 1), times=2)
        assert [state.allowed for state in states] == [True, True]

    @proves("A refused call isn't counted and doesn't extend the wait.")
    async def test_refused_call_does_not_extend_wait(self, rig: LimiterRig) -> None:
        limit = RateLimit(1, 1)
        assert await passes(rig, "a", limit)
        await rig.advance(0.5)
        assert not await passes(rig, "a", limit)
        await rig.advance(0.5)
        assert await passes(rig, "a", limit)

    @proves("Keys are independent of each other.")
    async def test_keys_are_independent(self, rig: LimiterRig) -> None:
        limit = RateLimit(1, 60)
        assert await passes(rig, "a", limit)
        assert await passes(rig, "b", limit)
        assert not await passes(rig, "a", limit)

    @proves("Keys are independent of each other.")
    async def test_keys_that_differ_little_are_independent(self, rig: LimiterRig) -> None:
        limit = RateLimit(1, 60)
        assert [key for key in SIMILAR_KEYS if not await passes(rig, key, limit)] == []
        assert [key for key in SIMILAR_KEYS if await passes(rig, key, limit)] == []

    @proves("Keys are independent of each other.")
    async def test_expiry_of_one_key_does_not_affect_others(self, rig: LimiterRig) -> None:
        limit = RateLimit(1, 1)
        assert await passes(rig, "a", limit)
        await rig.advance(0.5)
        assert await passes(rig, "b", limit)
        await rig.advance(0.5)
        assert await passes(rig, "a", limit)
        assert not await passes(rig, "b", limit)

    @proves("A call leaves the log `limit.seconds` after it was counted.")
    async def test_call_leaves_log_after_window(self, rig: LimiterRig) -> None:
        before = await rig.limiter.hit("a", RateLimit(3, 1))
        await rig.advance(1)
        assert await rig.limiter.hit("a", RateLimit(3, 1)) == before

    @proves("A call leaves the log `limit.seconds` after it was counted.")
    @requires("long_waits")
    async def test_call_stays_in_log_for_a_long_window(self, rig: LimiterRig) -> None:
        limit = RateLimit(2, _DAY)
        await hit(rig, "a", limit, times=2)
        await rig.advance(_DAY - 100)
        await rig.limiter.hit("another", RateLimit(1, 1))
        refused = await rig.limiter.hit("a", limit)
        assert not refused.allowed
        assert refused.retry_after in range(90, 101)
        await rig.advance(100)
        assert await passes(rig, "a", limit)

    @proves("A key with an empty log uses no memory or storage.")
    async def test_key_with_empty_log_uses_no_storage(self, rig: LimiterRig) -> None:
        for number in range(20):
            await rig.limiter.hit(f"key {number}", RateLimit(1, 1))
        await rig.advance(1)
        await rig.limiter.hit("another", RateLimit(1, 60))
        assert await rig.held_keys() == 1

    @proves("A key with an empty log uses no memory or storage.")
    async def test_long_window_of_one_key_does_not_keep_others(self, rig: LimiterRig) -> None:
        await rig.limiter.hit("long", RateLimit(1, 3_600))
        for number in range(20):
            await rig.limiter.hit(f"key {number}", RateLimit(1, 1))
        await rig.advance(1)
        await rig.limiter.hit("another", RateLimit(1, 60))
        assert await rig.held_keys() == 2

    @proves("When the limit of a key changes, the calls still in its log count against the new limit.")
    async def test_lowered_limit_counts_earlier_calls(self, rig: LimiterRig) -> None:
        await hit(rig, "a", RateLimit(2, 60))
        await rig.advance(1)
        await hit(rig, "a", RateLimit(2, 60))
        lowered = await rig.limiter.hit("a", RateLimit(1, 60))
        assert not lowered.allowed
        assert lowered.remaining == 0
        assert lowered.retry_after == lowered.reset_after  # both calls must leave the log

    @proves("When the limit of a key changes, the calls still in its log count against the new limit.")
    async def test_raised_limit_counts_earlier_calls(self, rig: LimiterRig) -> None:
        await hit(rig, "a", RateLimit(2, 60), times=2)
        states = await hit(rig, "a", RateLimit(4, 60), times=3)
        assert [state.allowed for state in states] == [True, True, False]

    @proves("When the limit of a key changes, the calls still in its log count against the new limit.")
    async def test_shortened_window_frees_older_calls(self, rig: LimiterRig) -> None:
        await hit(rig, "a", RateLimit(2, 60), times=2)
        await rig.advance(1)
        assert await passes(rig, "a", RateLimit(2, 1))

    @proves("`remaining` is the number of calls that would still pass now.")
    async def test_remaining_is_number_of_calls_that_would_pass(self, rig: LimiterRig) -> None:
        states = await hit(rig, "a", RateLimit(3, 60), times=4)
        assert [state.remaining for state in states] == [2, 1, 0, 0]

    @proves(
        "`retry_after` is 0 while a call would pass, otherwise the seconds until the next one passes, rounded up.",
    )
    async def test_retry_after_is_0_while_call_would_pass(self, rig: LimiterRig) -> None:
        first, last, refused = await hit(rig, "a", RateLimit(2, 60), times=3)
        assert first.retry_after == 0
        assert last.retry_after in {59, 60}
        assert refused.retry_after in {59, 60}

    @proves(
        "`retry_after` is 0 while a call would pass, otherwise the seconds until the next one passes, rounded up.",
    )
    async def test_call_passes_after_retry_after(self, rig: LimiterRig) -> None:
        limit = RateLimit(1, 1)
        assert await passes(rig, "a", limit)
        await rig.advance(0.25)
        refused = await rig.limiter.hit("a", limit)
        assert refused.retry_after == 1  # 0.75, rounded up
        await rig.advance(refused.retry_after)
        assert await passes(rig, "a", limit)

    @proves("`reset_after` is the seconds until the log is empty, rounded up.")
    async def test_reset_after_is_time_until_log_is_empty(self, rig: LimiterRig) -> None:
        limit = RateLimit(2, 2)
        first = await rig.limiter.hit("a", limit)
        assert (first.retry_after, first.reset_after) == (0, 2)
        await rig.advance(1.25)  # the older call stays in the log for 0.75 s
        second = await rig.limiter.hit("a", limit)
        assert (second.retry_after, second.reset_after) == (1, 2)  # the older call leaves first, then the newer one

    @proves(
        "`allowed` says whether a call would pass now; the other numbers are as after the latest call of `hit`.",
    )
    async def test_peek_returns_the_state_of_the_log(self, rig: LimiterRig) -> None:
        limit = RateLimit(2, 60)
        assert await rig.limiter.peek("a", limit) == LimitState.unused(limit)
        first = await rig.limiter.hit("a", limit)
        assert await rig.limiter.peek("a", limit) == first
        last = await rig.limiter.hit("a", limit)
        peeked = await rig.limiter.peek("a", limit)
        assert not peeked.allowed
        assert (peeked.remaining, peeked.retry_after, peeked.reset_after) == (0, last.retry_after, last.reset_after)

    @proves("Returns the state of `key` without counting a call.")
    async def test_peek_counts_nothing(self, rig: LimiterRig) -> None:
        limit = RateLimit(1, 60)
        for _ in range(3):
            assert (await rig.limiter.peek("a", limit)).allowed
        assert await rig.held_keys() == 0
        assert await passes(rig, "a", limit)

    @proves(
        "`allowed` says whether a call would pass now; the other numbers are as after the latest call of `hit`.",
    )
    async def test_peek_sees_calls_leave_the_log(self, rig: LimiterRig) -> None:
        limit = RateLimit(2, 1)
        assert await passes(rig, "a", limit)
        await rig.advance(0.5)
        assert await passes(rig, "a", limit)
        assert not (await rig.limiter.peek("a", limit)).allowed
        await rig.advance(0.5)
        assert (await rig.limiter.peek("a", limit)).remaining == 1
        await rig.advance(0.5)
        assert await rig.limiter.peek("a", limit) == LimitState.unused(limit)

    async def test_peek_applies_a_lowered_limit(self, rig: LimiterRig) -> None:
        await hit(rig, "a", RateLimit(3, 60), times=2)
        lowered = await rig.limiter.peek("a", RateLimit(1, 60))
        assert (lowered.allowed, lowered.remaining, lowered.limit) == (False, 0, 1)

    @requires("shared")
    async def test_limiters_on_one_store_share_the_log(self, rig: SharedLimiterRig) -> None:
        limit = RateLimit(3, 60)
        async with opener_of(rig)() as other:
            first, second = await rig.limiter.hit("a", limit), await other.hit("a", limit)
            assert (first.remaining, second.remaining) == (2, 1)
            assert (await rig.limiter.peek("a", limit)).remaining == 1
            assert (await other.peek("a", limit)).remaining == 1

    @proves("A sliding log: no window of `limit.seconds` ever holds more than `limit.requests` calls of one key.")
    @requires("shared")
    async def test_concurrent_calls_of_two_limiters_do_not_exceed_limit(self, rig: SharedLimiterRig) -> None:
        limit = RateLimit(5, 60)
        async with opener_of(rig)() as other:
            calls = (limiter.hit("a", limit) for _ in range(20) for limiter in (rig.limiter, other))
            states = await asyncio.gather(*calls)
        assert sum(state.allowed for state in states) == 5

    @proves("A sliding log: no window of `limit.seconds` ever holds more than `limit.requests` calls of one key.")
    @requires("shared")
    async def test_concurrent_calls_of_two_processes_do_not_exceed_limit(self, rig: SharedLimiterRig) -> None:
        keys = [f"round {number}" for number in range(20)]
        allowed = await asyncio.to_thread(hits_in_processes, opener_of(rig), keys, RateLimit(1, 600))
        assert allowed == dict.fromkeys(keys, 1)


class RateLimiterOutageContract(Contract):
    """The additional tests for a RateLimiter whose store can fail.

    Subclasses provide one with an unavailable store.
    """

    @pytest.fixture
    def unavailable(self) -> RateLimiter:
        raise NotImplementedError("return a RateLimiter whose store is unavailable")

    @proves("StorageUnavailableError: The log is shared and unreachable.")
    async def test_hit_reports_unreachable_log(self, unavailable: RateLimiter) -> None:
        with pytest.raises(StorageUnavailableError):
            await unavailable.hit("a", RateLimit(1, 60))

    @proves("StorageUnavailableError: The log is shared and unreachable.")
    async def test_peek_reports_unreachable_log(self, unavailable: RateLimiter) -> None:
        with pytest.raises(StorageUnavailableError):
            await unavailable.peek("a", RateLimit(1, 60))


def opener_of(rig: SharedLimiterRig) -> Callable[[], AbstractAsyncContextManager[RateLimiter]]:
    """Returns the rig's function that opens another limiter, or fails the test if it has none."""
    opener: Callable[[], AbstractAsyncContextManager[RateLimiter]] | None = getattr(rig, "opener", None)
    if opener is None:
        pytest.fail("The rig has no `opener`. Add one, or deny the capability: LimiterCapabilities(shared=False)")
    return opener


async def hit(rig: LimiterRig, key: str, limit: RateLimit, *, times: int = 1) -> list[LimitState]:
    """Returns the limiter's results for that many sequential calls."""
    return [await rig.limiter.hit(key, limit) for _ in range(times)]


async def passes(rig: LimiterRig, key: str, limit: RateLimit) -> bool:
    """Returns whether one more call passes."""
    return (await rig.limiter.hit(key, limit)).allowed
