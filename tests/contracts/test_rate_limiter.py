import pytest

from polyant.adapters.memory.rate_limiter import MemoryRateLimiter
from polyant.testing.manual_clock import ManualClock
from polyant.testing.rate_limiter import LimiterRig, RateLimiterContract


class MemoryRig(LimiterRig):
    def __init__(self) -> None:
        self.clock = ManualClock()
        self.limiter: MemoryRateLimiter = MemoryRateLimiter(clock=self.clock)

    async def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)

    async def held_keys(self) -> int:
        return self.limiter.held_keys()


class TestMemoryRateLimiter(RateLimiterContract):
    @pytest.fixture
    def rig(self) -> MemoryRig:
        return MemoryRig()
