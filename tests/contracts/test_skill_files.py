from collections.abc import AsyncIterator

import pytest

from polyant.adapters.cache.fresh_instance_repo import FreshInstanceRepo
from polyant.adapters.cache.instance_repo import CachedInstanceRepo
from polyant.adapters.memory.instance_history import MemoryInstanceHistory
from polyant.adapters.memory.instance_repo import MemoryInstanceRepo
from polyant.adapters.memory.skill_files import MemorySkillFiles
from polyant.adapters.memory.store import MemoryStore
from polyant.adapters.piccolo.database import PiccoloDatabase
from polyant.adapters.piccolo.instance_history import PiccoloInstanceHistory
from polyant.adapters.piccolo.instance_repo import PiccoloInstanceRepo
from polyant.adapters.piccolo.skill_files import PiccoloSkillFiles
from polyant.testing.manual_clock import ManualClock
from polyant.testing.skill_files import SkillFilesContract, SkillFilesOutageContract
from support.stores import InMemory, OnPostgres, OnSqlite


class _WithMemoryFiles(InMemory, SkillFilesContract):
    @pytest.fixture
    def skill_files(self, memory: MemoryStore) -> MemorySkillFiles:
        return MemorySkillFiles(memory=memory)

    @pytest.fixture
    def history(self, memory: MemoryStore) -> MemoryInstanceHistory:
        return MemoryInstanceHistory(memory=memory)


class TestMemorySkillFiles(_WithMemoryFiles):
    @pytest.fixture
    def instance_repo(self, memory: MemoryStore) -> MemoryInstanceRepo:
        return MemoryInstanceRepo(memory=memory)


class TestMemorySkillFilesBehindTheCache(_WithMemoryFiles):
    @pytest.fixture
    async def instance_repo(self, memory: MemoryStore) -> AsyncIterator[FreshInstanceRepo]:
        inner = MemoryInstanceRepo(memory=memory)
        async with CachedInstanceRepo(inner, clock=ManualClock()) as cache:
            yield FreshInstanceRepo(inner, cache)


class _InDatabase:
    @pytest.fixture
    def skill_files(self, store: PiccoloDatabase) -> PiccoloSkillFiles:
        return PiccoloSkillFiles(database=store)

    @pytest.fixture
    def history(self, store: PiccoloDatabase) -> PiccoloInstanceHistory:
        return PiccoloInstanceHistory(database=store)

    @pytest.fixture
    def instance_repo(self, store: PiccoloDatabase) -> PiccoloInstanceRepo:
        return PiccoloInstanceRepo(database=store)


class TestPiccoloSkillFilesOnSqlite(_InDatabase, OnSqlite, SkillFilesContract, SkillFilesOutageContract):
    @pytest.fixture
    def unavailable(self, lost_sqlite_database: PiccoloDatabase) -> PiccoloSkillFiles:
        return PiccoloSkillFiles(database=lost_sqlite_database)


class TestPiccoloSkillFilesOnPostgres(_InDatabase, OnPostgres, SkillFilesContract, SkillFilesOutageContract):
    @pytest.fixture
    def unavailable(self, lost_postgres_database: PiccoloDatabase) -> PiccoloSkillFiles:
        return PiccoloSkillFiles(database=lost_postgres_database)
