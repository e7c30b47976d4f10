"""The contract of the port Clock."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from polyant.domain.ports.clock import Clock
from polyant.testing.contract import Contract, proves

Advance = Callable[[float], Awaitable[None]]


class ClockContract(Contract):
    """The tests that every Clock must pass; subclasses provide one, and a function that lets its time pass."""

    @pytest.fixture
    def clock(self) -> Clock:
        raise NotImplementedError("return the clock under test")

    @pytest.fixture
    def advance(self, clock: Clock) -> Advance:
        raise NotImplementedError("return a function that returns once the clock is at least that many seconds later")

    def test_implements_the_port(self, clock: Clock) -> None:
        assert isinstance(clock, Clock)

    @proves("Returns the current time as an aware datetime in UTC.")
    def test_now_is_aware_and_in_utc(self, clock: Clock) -> None:
        assert clock.now().utcoffset() == timedelta(0)

    async def test_now_and_monotonic_advance_with_time(self, clock: Clock, advance: Advance) -> None:
        now, monotonic = clock.now(), clock.monotonic()
        await advance(1 / 64)
        assert clock.now() > now
        assert clock.monotonic() >= monotonic + 1 / 64

    @proves("Returns the seconds since an arbitrary moment; the value never decreases.")
    def test_monotonic_never_decreases(self, clock: Clock) -> None:
        moments = [clock.monotonic() for _ in range(1_000)]
        assert moments == sorted(moments)

    @proves("Returns once `monotonic` has advanced by that many seconds.")
    async def test_sleep_lasts_its_seconds_on_the_monotonic_clock(self, clock: Clock, advance: Advance) -> None:
        async def slept() -> float:
            start = clock.monotonic()
            await clock.sleep(4 / 64)
            return clock.monotonic() - start

        sleeper = asyncio.create_task(slept())
        await asyncio.sleep(0)
        await advance(1 / 64)
        await asyncio.sleep(0)
        await advance(3 / 64)
        async with asyncio.timeout(10):
            assert await sleeper >= 4 / 64

    @pytest.mark.parametrize("seconds", [0, -1])
    async def test_sleep_of_zero_or_negative_seconds_returns(self, clock: Clock, seconds: float) -> None:
        async with asyncio.timeout(10):
            await clock.sleep(seconds)
