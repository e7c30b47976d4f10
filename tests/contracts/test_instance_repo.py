from collections.abc import AsyncIterator

import pytest

from polyant.adapters.cache.instance_repo import CachedInstanceRepo
from polyant.adapters.memory.instance_repo import MemoryInstanceRepo
from polyant.adapters.piccolo.database import PiccoloDatabase
from polyant.adapters.piccolo.instance_repo import PiccoloInstanceRepo
from polyant.testing.instance_repo import InstanceRepoContract
from polyant.testing.manual_clock import ManualClock


class TestMemoryInstanceRepo(InstanceRepoContract):
    @pytest.fixture
    def repo(self) -> MemoryInstanceRepo:
        return MemoryInstanceRepo()

    @pytest.fixture
    def unavailable(self) -> MemoryInstanceRepo:
        pytest.skip("memory always answers")


class TestPiccoloInstanceRepoOnSqlite(InstanceRepoContract):
    @pytest.fixture
    def repo(self, sqlite_database: PiccoloDatabase) -> PiccoloInstanceRepo:
        return PiccoloInstanceRepo(database=sqlite_database)

    @pytest.fixture
    def unavailable(self, lost_sqlite_database: PiccoloDatabase) -> PiccoloInstanceRepo:
        return PiccoloInstanceRepo(database=lost_sqlite_database)


class TestPiccoloInstanceRepoOnPostgres(InstanceRepoContract):
    @pytest.fixture
    def repo(self, postgres_database: PiccoloDatabase) -> PiccoloInstanceRepo:
        return PiccoloInstanceRepo(database=postgres_database)

    @pytest.fixture
    def unavailable(self, lost_postgres_database: PiccoloDatabase) -> PiccoloInstanceRepo:
        return PiccoloInstanceRepo(database=lost_postgres_database)


class TestCachedMemoryInstanceRepo(InstanceRepoContract):
    @pytest.fixture
    async def repo(self) -> AsyncIterator[CachedInstanceRepo]:
        async with CachedInstanceRepo(MemoryInstanceRepo(), clock=ManualClock()) as repo:
            yield repo

    @pytest.fixture
    def unavailable(self) -> CachedInstanceRepo:
        pytest.skip("memory always answers")


class TestCachedPiccoloInstanceRepo(InstanceRepoContract):
    @pytest.fixture
    async def repo(self, sqlite_database: PiccoloDatabase) -> AsyncIterator[CachedInstanceRepo]:
        inner = PiccoloInstanceRepo(database=sqlite_database)
        async with CachedInstanceRepo(inner, clock=ManualClock()) as repo:
            yield repo

    @pytest.fixture
    async def unavailable(self, lost_sqlite_database: PiccoloDatabase) -> AsyncIterator[CachedInstanceRepo]:
        inner = PiccoloInstanceRepo(database=lost_sqlite_database)
        async with CachedInstanceRepo(inner, clock=ManualClock()) as repo:
            yield repo
