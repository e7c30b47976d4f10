"""Fixtures for the user, session and audit adapters of one store, for contracts that need all three."""

import pytest

from polyant.adapters.memory.audit_log import MemoryAuditLog
from polyant.adapters.memory.session_repo import MemorySessionRepo
from polyant.adapters.memory.store import MemoryStore
from polyant.adapters.memory.user_repo import MemoryUserRepo
from polyant.adapters.piccolo.audit_log import PiccoloAuditLog
from polyant.adapters.piccolo.database import PiccoloDatabase
from polyant.adapters.piccolo.session_repo import PiccoloSessionRepo
from polyant.adapters.piccolo.user_repo import PiccoloUserRepo


class InMemory:
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


class _InDatabase:
    @pytest.fixture
    def store(self) -> PiccoloDatabase:
        raise NotImplementedError("return the database")

    @pytest.fixture
    def user_repo(self, store: PiccoloDatabase) -> PiccoloUserRepo:
        return PiccoloUserRepo(database=store)

    @pytest.fixture
    def session_repo(self, store: PiccoloDatabase) -> PiccoloSessionRepo:
        return PiccoloSessionRepo(database=store)

    @pytest.fixture
    def audit_log(self, store: PiccoloDatabase) -> PiccoloAuditLog:
        return PiccoloAuditLog(database=store)


class OnSqlite(_InDatabase):
    @pytest.fixture
    def store(self, sqlite_database: PiccoloDatabase) -> PiccoloDatabase:
        return sqlite_database


class OnPostgres(_InDatabase):
    @pytest.fixture
    def store(self, postgres_database: PiccoloDatabase) -> PiccoloDatabase:
        return postgres_database
