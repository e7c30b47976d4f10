import pytest

from polyant.adapters.memory.archive import MemoryArchive
from polyant.adapters.memory.instance_repo import MemoryInstanceRepo
from polyant.adapters.memory.skill_files import MemorySkillFiles
from polyant.adapters.memory.store import MemoryStore
from polyant.adapters.piccolo.archive import PiccoloArchive
from polyant.adapters.piccolo.database import PiccoloDatabase
from polyant.adapters.piccolo.instance_repo import PiccoloInstanceRepo
from polyant.adapters.piccolo.skill_files import PiccoloSkillFiles
from polyant.testing.archive import ArchiveContract, ArchiveOutageContract
from support.stores import InMemory, OnPostgres, OnSqlite


class TestMemoryArchive(InMemory, ArchiveContract):
    @pytest.fixture
    def archive(self, memory: MemoryStore) -> MemoryArchive:
        return MemoryArchive(memory=memory)

    @pytest.fixture
    def skill_files(self, memory: MemoryStore) -> MemorySkillFiles:
        return MemorySkillFiles(memory=memory)

    @pytest.fixture
    def instance_repo(self, memory: MemoryStore) -> MemoryInstanceRepo:
        return MemoryInstanceRepo(memory=memory)


class _InDatabase:
    @pytest.fixture
    def archive(self, store: PiccoloDatabase) -> PiccoloArchive:
        return PiccoloArchive(database=store)

    @pytest.fixture
    def skill_files(self, store: PiccoloDatabase) -> PiccoloSkillFiles:
        return PiccoloSkillFiles(database=store)

    @pytest.fixture
    def instance_repo(self, store: PiccoloDatabase) -> PiccoloInstanceRepo:
        return PiccoloInstanceRepo(database=store)


class TestPiccoloArchiveOnSqlite(_InDatabase, OnSqlite, ArchiveContract, ArchiveOutageContract):
    @pytest.fixture
    def unavailable(self, lost_sqlite_database: PiccoloDatabase) -> PiccoloArchive:
        return PiccoloArchive(database=lost_sqlite_database)


class TestPiccoloArchiveOnPostgres(_InDatabase, OnPostgres, ArchiveContract, ArchiveOutageContract):
    @pytest.fixture
    def unavailable(self, lost_postgres_database: PiccoloDatabase) -> PiccoloArchive:
        return PiccoloArchive(database=lost_postgres_database)
