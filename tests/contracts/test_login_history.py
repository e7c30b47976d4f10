import pytest

from polyant.adapters.memory.login_history import MemoryLoginHistory
from polyant.adapters.piccolo.database import PiccoloDatabase
from polyant.adapters.piccolo.login_history import PiccoloLoginHistory
from polyant.testing.login_history import LoginHistoryContract, LoginHistoryOutageContract


class TestMemoryLoginHistory(LoginHistoryContract):
    @pytest.fixture
    def login_history(self) -> MemoryLoginHistory:
        return MemoryLoginHistory()


class TestPiccoloLoginHistoryOnSqlite(LoginHistoryContract, LoginHistoryOutageContract):
    @pytest.fixture
    def login_history(self, sqlite_database: PiccoloDatabase) -> PiccoloLoginHistory:
        return PiccoloLoginHistory(database=sqlite_database)

    @pytest.fixture
    def unavailable(self, lost_sqlite_database: PiccoloDatabase) -> PiccoloLoginHistory:
        return PiccoloLoginHistory(database=lost_sqlite_database)


class TestPiccoloLoginHistoryOnPostgres(LoginHistoryContract, LoginHistoryOutageContract):
    @pytest.fixture
    def login_history(self, postgres_database: PiccoloDatabase) -> PiccoloLoginHistory:
        return PiccoloLoginHistory(database=postgres_database)

    @pytest.fixture
    def unavailable(self, lost_postgres_database: PiccoloDatabase) -> PiccoloLoginHistory:
        return PiccoloLoginHistory(database=lost_postgres_database)
