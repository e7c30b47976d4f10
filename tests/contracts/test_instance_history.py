from collections.abc import AsyncIterator

import pytest

from polyant.adapters.cache.fresh_instance_repo import FreshInstanceRepo
from polyant.adapters.cache.instance_repo import CachedInstanceRepo
from polyant.adapters.memory.instance_history import MemoryInstanceHistory
from polyant.adapters.memory.instance_repo import MemoryInstanceRepo
from polyant.adapters.memory.store import MemoryStore
from polyant.adapters.piccolo.database import PiccoloDatabase
from polyant.adapters.piccolo.instance_history import PiccoloInstanceHistory
from polyant.adapters.piccolo.instance_repo import PiccoloInstanceRepo
from polyant.testing.instance_history import InstanceHistoryContract, InstanceHistoryOutageContract
from polyant.testing.manual_clock import ManualClock
from support.stores import InMemory, OnPostgres, OnSqlite


class _WithMemoryHistory(InMemory, InstanceHistoryContract):
    @pytest.fixture
    def history(self, memory: MemoryStore) -> MemoryInstanceHistory:
        return MemoryInstanceHistory(memory=memory)


class TestMemoryInstanceHistory(_WithMemoryHistory):
    @pytest.fixture
    def instance_repo(self, memory: MemoryStore) -> MemoryInstanceRepo:
        return MemoryInstanceRepo(memory=memory)


class TestMemoryInstanceHistoryBehindTheCache(_WithMemoryHistory):
    @pytest.fixture
    async def instance_repo(self, memory: MemoryStore) -> AsyncIterator[FreshInstanceRepo]:
        inner = MemoryInstanceRepo(memory=memory)
        async with CachedInstanceRepo(inner, clock=ManualClock()) as cache:
            yield FreshInstanceRepo(inner, cache)


class _InDatabase:
    @pytest.fixture
    def history(self, store: PiccoloDatabase) -> PiccoloInstanceHistory:
        return PiccoloInstanceHistory(database=store)

    @pytest.fixture
    def instance_repo(self, store: PiccoloDatabase) -> PiccoloInstanceRepo:
        return PiccoloInstanceRepo(database=store)


class TestPiccoloInstanceHistoryOnSqlite(_InDatabase, OnSqlite, InstanceHistoryContract, InstanceHistoryOutageContract):
    @pytest.fixture
    def unavailable(self, lost_sqlite_database: PiccoloDatabase) -> PiccoloInstanceHistory:
        return PiccoloInstanceHistory(database=lost_sqlite_database)


class TestPiccoloInstanceHistoryOnPostgres(
    _InDatabase, OnPostgres, InstanceHistoryContract, InstanceHistoryOutageContract
):
    @pytest.fixture
    def unavailable(self, lost_postgres_database: PiccoloDatabase) -> PiccoloInstanceHistory:
        return PiccoloInstanceHistory(database=lost_postgres_database)
