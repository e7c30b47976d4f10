import pytest

from polyant.adapters.fail_open.rate_limiter import FailOpenRateLimiter
from polyant.adapters.memory.rate_limiter import MemoryRateLimiter
from polyant.adapters.piccolo.database import PiccoloDatabase
from polyant.adapters.piccolo.rate_limiter import PiccoloRateLimiter
from polyant.domain.ports.rate_limiter import RateLimiter
from polyant.testing.manual_clock import ManualClock
from polyant.testing.rate_limiter import LimiterCapabilities, LimiterRig, RateLimiterContract, RateLimiterOutageContract
from support.rate_limiter_rig import PiccoloRig


class MemoryRig(LimiterRig):
    def __init__(self) -> None:
        self.clock = ManualClock()
        self.memory = MemoryRateLimiter(clock=self.clock)
        self.limiter: RateLimiter = self.memory

    async def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)

    async def held_keys(self) -> int:
        return self.memory.held_keys


class TestMemoryRateLimiter(RateLimiterContract):
    capabilities = LimiterCapabilities(shared=False)

    @pytest.fixture
    def rig(self) -> MemoryRig:
        return MemoryRig()


class TestFailOpenRateLimiter(RateLimiterContract):
    capabilities = LimiterCapabilities(shared=False)

    @pytest.fixture
    def rig(self) -> MemoryRig:
        rig = MemoryRig()
        rig.limiter = FailOpenRateLimiter(rig.memory, clock=rig.clock)
        return rig


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
