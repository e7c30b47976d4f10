import pytest

from polyant.adapters.memory.audit_log import MemoryAuditLog
from polyant.adapters.memory.session_repo import MemorySessionRepo
from polyant.adapters.memory.store import MemoryStore
from polyant.adapters.memory.user_repo import MemoryUserRepo
from polyant.adapters.piccolo.audit_log import PiccoloAuditLog
from polyant.adapters.piccolo.database import PiccoloDatabase
from polyant.adapters.piccolo.session_repo import PiccoloSessionRepo
from polyant.adapters.piccolo.user_repo import PiccoloUserRepo
from polyant.testing.session_repo import SessionRepoContract, SessionRepoOutageContract


class TestMemorySessionRepo(SessionRepoContract):
    @pytest.fixture
    def memory(self) -> MemoryStore:
        return MemoryStore()

    @pytest.fixture
    def user_repo(self, memory: MemoryStore) -> MemoryUserRepo:
        return MemoryUserRepo(memory=memory)

    @pytest.fixture
    def session_repo(self, memory: MemoryStore) -> MemorySessionRepo:
        return MemorySessionRepo(memory=memory)

    @pytest.fixture
    def audit_log(self, memory: MemoryStore) -> MemoryAuditLog:
        return MemoryAuditLog(memory=memory)


class TestPiccoloSessionRepoOnSqlite(SessionRepoContract, SessionRepoOutageContract):
    @pytest.fixture
    def user_repo(self, sqlite_database: PiccoloDatabase) -> PiccoloUserRepo:
        return PiccoloUserRepo(database=sqlite_database)

    @pytest.fixture
    def session_repo(self, sqlite_database: PiccoloDatabase) -> PiccoloSessionRepo:
        return PiccoloSessionRepo(database=sqlite_database)

    @pytest.fixture
    def audit_log(self, sqlite_database: PiccoloDatabase) -> PiccoloAuditLog:
        return PiccoloAuditLog(database=sqlite_database)

    @pytest.fixture
    def unavailable(self, lost_sqlite_database: PiccoloDatabase) -> PiccoloSessionRepo:
        return PiccoloSessionRepo(database=lost_sqlite_database)


class TestPiccoloSessionRepoOnPostgres(SessionRepoContract, SessionRepoOutageContract):
    @pytest.fixture
    def user_repo(self, postgres_database: PiccoloDatabase) -> PiccoloUserRepo:
        return PiccoloUserRepo(database=postgres_database)

    @pytest.fixture
    def session_repo(self, postgres_database: PiccoloDatabase) -> PiccoloSessionRepo:
        return PiccoloSessionRepo(database=postgres_database)

    @pytest.fixture
    def audit_log(self, postgres_database: PiccoloDatabase) -> PiccoloAuditLog:
        return PiccoloAuditLog(database=postgres_database)

    @pytest.fixture
    def unavailable(self, lost_postgres_database: PiccoloDatabase) -> PiccoloSessionRepo:
        return PiccoloSessionRepo(database=lost_postgres_database)
