import pytest

from polyant.adapters.piccolo.database import PiccoloDatabase
from polyant.adapters.piccolo.instance_history import PiccoloInstanceHistory
from polyant.testing.instance_history import InstanceHistoryContract, InstanceHistoryOutageContract
from support.stores import InMemory, InMemoryBehindTheCache, OnPostgres, OnSqlite


class TestMemoryInstanceHistory(InMemory, InstanceHistoryContract):
    pass


class TestMemoryInstanceHistoryBehindTheCache(InMemoryBehindTheCache, InstanceHistoryContract):
    pass


class TestPiccoloInstanceHistoryOnSqlite(OnSqlite, InstanceHistoryContract, InstanceHistoryOutageContract):
    @pytest.fixture
    def unavailable(self, lost_sqlite_database: PiccoloDatabase) -> PiccoloInstanceHistory:
        return PiccoloInstanceHistory(database=lost_sqlite_database)


class TestPiccoloInstanceHistoryOnPostgres(OnPostgres, InstanceHistoryContract, InstanceHistoryOutageContract):
    @pytest.fixture
    def unavailable(self, lost_postgres_database: PiccoloDatabase) -> PiccoloInstanceHistory:
        return PiccoloInstanceHistory(database=lost_postgres_database)
