import pytest

from polyant.adapters.piccolo.database import PiccoloDatabase
from polyant.adapters.piccolo.session_repo import PiccoloSessionRepo
from polyant.testing.session_repo import SessionRepoContract, SessionRepoOutageContract
from support.stores import InMemory, OnPostgres, OnSqlite


class TestMemorySessionRepo(InMemory, SessionRepoContract): ...


class TestPiccoloSessionRepoOnSqlite(OnSqlite, SessionRepoContract, SessionRepoOutageContract):
    @pytest.fixture
    def unavailable(self, lost_sqlite_database: PiccoloDatabase) -> PiccoloSessionRepo:
        return PiccoloSessionRepo(database=lost_sqlite_database)


class TestPiccoloSessionRepoOnPostgres(OnPostgres, SessionRepoContract, SessionRepoOutageContract):
    @pytest.fixture
    def unavailable(self, lost_postgres_database: PiccoloDatabase) -> PiccoloSessionRepo:
        return PiccoloSessionRepo(database=lost_postgres_database)
