"""Fixtures for the adapters of one store, for contracts that need several of them."""

from collections.abc import AsyncIterator

import pytest

from polyant.adapters.cache.fresh_instance_repo import FreshInstanceRepo
from polyant.adapters.cache.instance_repo import CachedInstanceRepo
from polyant.adapters.memory.audit_log import MemoryAuditLog
from polyant.adapters.memory.instance_history import MemoryInstanceHistory
from polyant.adapters.memory.instance_repo import MemoryInstanceRepo
from polyant.adapters.memory.session_repo import MemorySessionRepo
from polyant.adapters.memory.skill_files import MemorySkillFiles
from polyant.adapters.memory.store import MemoryStore
from polyant.adapters.memory.user_repo import MemoryUserRepo
from polyant.adapters.piccolo.audit_log import PiccoloAuditLog
from polyant.adapters.piccolo.database import PiccoloDatabase
from polyant.adapters.piccolo.instance_history import PiccoloInstanceHistory
from polyant.adapters.piccolo.instance_repo import PiccoloInstanceRepo
from polyant.adapters.piccolo.session_repo import PiccoloSessionRepo
from polyant.adapters.piccolo.skill_files import PiccoloSkillFiles
from polyant.adapters.piccolo.user_repo import PiccoloUserRepo
from polyant.domain.ports.instance_repo import InstanceRepo
from polyant.testing.manual_clock import ManualClock


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

    @pytest.fixture
    def skill_files(self, memory: MemoryStore) -> MemorySkillFiles:
        return MemorySkillFiles(memory=memory)

    @pytest.fixture
    def history(self, memory: MemoryStore) -> MemoryInstanceHistory:
        return MemoryInstanceHistory(memory=memory)

    @pytest.fixture
    def instance_repo(self, memory: MemoryStore) -> InstanceRepo:
        return MemoryInstanceRepo(memory=memory)


class InMemoryBehindTheCache(InMemory):
    @pytest.fixture
    async def instance_repo(self, memory: MemoryStore) -> AsyncIterator[InstanceRepo]:
        inner = MemoryInstanceRepo(memory=memory)
        async with CachedInstanceRepo(inner, clock=ManualClock()) as cache:
            yield FreshInstanceRepo(inner, cache)


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

    @pytest.fixture
    def skill_files(self, store: PiccoloDatabase) -> PiccoloSkillFiles:
        return PiccoloSkillFiles(database=store)

    @pytest.fixture
    def history(self, store: PiccoloDatabase) -> PiccoloInstanceHistory:
        return PiccoloInstanceHistory(database=store)

    @pytest.fixture
    def instance_repo(self, store: PiccoloDatabase) -> PiccoloInstanceRepo:
        return PiccoloInstanceRepo(database=store)


class OnSqlite(_InDatabase):
    @pytest.fixture
    def store(self, sqlite_database: PiccoloDatabase) -> PiccoloDatabase:
        return sqlite_database


class OnPostgres(_InDatabase):
    @pytest.fixture
    def store(self, postgres_database: PiccoloDatabase) -> PiccoloDatabase:
        return postgres_database
