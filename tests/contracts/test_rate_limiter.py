import pytest

from polyant.adapters.fail_open.rate_limiter import FailOpenRateLimiter
from polyant.adapters.memory.rate_limiter import MemoryRateLimiter
from polyant.adapters.piccolo.database import PiccoloDatabase
from polyant.adapters.piccolo.rate_limiter import PiccoloRateLimiter
from polyant.testing.manual_clock import ManualClock
from polyant.testing.rate_limiter import (
    ClockedLimiterRig,
    LimiterCapabilities,
    RateLimiterContract,
    RateLimiterOutageContract,
)
from support.rate_limiter_rig import PiccoloRig


class TestMemoryRateLimiter(RateLimiterContract):
    capabilities = LimiterCapabilities(shared=False)

    @pytest.fixture
    def rig(self) -> ClockedLimiterRig:
        clock = ManualClock()
        limiter = MemoryRateLimiter(clock=clock)
        return ClockedLimiterRig(limiter, clock, lambda: limiter.held_keys)


class TestFailOpenRateLimiter(RateLimiterContract):
    capabilities = LimiterCapabilities(shared=False)

    @pytest.fixture
    def rig(self) -> ClockedLimiterRig:
        clock = ManualClock()
        limiter = MemoryRateLimiter(clock=clock)
        return ClockedLimiterRig(FailOpenRateLimiter(limiter, clock=clock), clock, lambda: limiter.held_keys)


class TestPiccoloRateLimiterOnSqlite(RateLimiterContract, RateLimiterOutageContract):
    @pytest.fixture
    def rig(self, sqlite_database: PiccoloDatabase, sqlite_url: str) -> PiccoloRig:
        return PiccoloRig(sqlite_database, sqlite_url)

    @pytest.fixture
    def unavailable(self, lost_sqlite_database: PiccoloDatabase) -> PiccoloRateLimiter:
        return PiccoloRateLimiter(database=lost_sqlite_database)


class TestPiccoloRateLimiterOnPostgres(RateLimiterContract, RateLimiterOutageContract):
    @pytest.fixture
    def rig(self, postgres_database: PiccoloDatabase, postgres_url: str) -> PiccoloRig:
        return PiccoloRig(postgres_database, postgres_url)

    @pytest.fixture
    def unavailable(self, lost_postgres_database: PiccoloDatabase) -> PiccoloRateLimiter:
        return PiccoloRateLimiter(database=lost_postgres_database)
