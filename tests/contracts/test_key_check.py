import pytest

from polyant.adapters.memory.key_check import MemoryKeyCheck
from polyant.adapters.piccolo.database import PiccoloDatabase
from polyant.adapters.piccolo.key_check import PiccoloKeyCheck
from polyant.testing.key_check import KeyCheckCapabilities, KeyCheckContract, KeyCheckOutageContract


class TestMemoryKeyCheck(KeyCheckContract):
    capabilities = KeyCheckCapabilities(shared=False)

    @pytest.fixture
    def key_check(self) -> MemoryKeyCheck:
        return MemoryKeyCheck()


class TestPiccoloKeyCheckOnSqlite(KeyCheckContract, KeyCheckOutageContract):
    @pytest.fixture
    def key_check(self, sqlite_database: PiccoloDatabase) -> PiccoloKeyCheck:
        return PiccoloKeyCheck(database=sqlite_database)

    @pytest.fixture
    def other(self, sqlite_database: PiccoloDatabase) -> PiccoloKeyCheck:
        return PiccoloKeyCheck(database=sqlite_database)

    @pytest.fixture
    def unavailable(self, lost_sqlite_database: PiccoloDatabase) -> PiccoloKeyCheck:
        return PiccoloKeyCheck(database=lost_sqlite_database)


class TestPiccoloKeyCheckOnPostgres(KeyCheckContract, KeyCheckOutageContract):
    @pytest.fixture
    def key_check(self, postgres_database: PiccoloDatabase) -> PiccoloKeyCheck:
        return PiccoloKeyCheck(database=postgres_database)

    @pytest.fixture
    def other(self, postgres_database: PiccoloDatabase) -> PiccoloKeyCheck:
        return PiccoloKeyCheck(database=postgres_database)

    @pytest.fixture
    def unavailable(self, lost_postgres_database: PiccoloDatabase) -> PiccoloKeyCheck:
        return PiccoloKeyCheck(database=lost_postgres_database)
