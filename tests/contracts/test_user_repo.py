import pytest

from polyant.adapters.piccolo.database import PiccoloDatabase
from polyant.adapters.piccolo.user_repo import PiccoloUserRepo
from polyant.testing.user_repo import UserRepoContract, UserRepoOutageContract
from support.stores import InMemory, OnPostgres, OnSqlite


class TestMemoryUserRepo(InMemory, UserRepoContract): ...


class TestPiccoloUserRepoOnSqlite(OnSqlite, UserRepoContract, UserRepoOutageContract):
    @pytest.fixture
    def unavailable(self, lost_sqlite_database: PiccoloDatabase) -> PiccoloUserRepo:
        return PiccoloUserRepo(database=lost_sqlite_database)


class TestPiccoloUserRepoOnPostgres(OnPostgres, UserRepoContract, UserRepoOutageContract):
    @pytest.fixture
    def unavailable(self, lost_postgres_database: PiccoloDatabase) -> PiccoloUserRepo:
        return PiccoloUserRepo(database=lost_postgres_database)
