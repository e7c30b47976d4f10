import asyncio

import pytest

from polyant.adapters.system.clock import SystemClock
from polyant.domain.ports.clock import Clock
from polyant.testing.clock import Advance, ClockContract
from polyant.testing.manual_clock import ManualClock


class TestManualClock(ClockContract):
    @pytest.fixture
    def clock(self) -> ManualClock:
        return ManualClock()

    @pytest.fixture
    def advance(self, clock: Clock) -> Advance:
        async def advance(seconds: float) -> None:
            assert isinstance(clock, ManualClock)
            clock.advance(seconds)

        return advance


class TestSystemClock(ClockContract):
    @pytest.fixture
    def clock(self) -> SystemClock:
        return SystemClock()

    @pytest.fixture
    def advance(self, clock: Clock) -> Advance:
        async def advance(seconds: float) -> None:
            until = clock.monotonic() + seconds
            while clock.monotonic() < until:  # noqa: ASYNC110 - the passing of time can't be awaited
                await asyncio.sleep(until - clock.monotonic())

        return advance
