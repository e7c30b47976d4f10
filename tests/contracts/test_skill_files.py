import pytest

from polyant.adapters.piccolo.database import PiccoloDatabase
from polyant.adapters.piccolo.skill_files import PiccoloSkillFiles
from polyant.testing.skill_files import SkillFilesContract, SkillFilesOutageContract
from support.stores import InMemory, InMemoryBehindTheCache, OnPostgres, OnSqlite


class TestMemorySkillFiles(InMemory, SkillFilesContract):
    pass


class TestMemorySkillFilesBehindTheCache(InMemoryBehindTheCache, SkillFilesContract):
    pass


class TestPiccoloSkillFilesOnSqlite(OnSqlite, SkillFilesContract, SkillFilesOutageContract):
    @pytest.fixture
    def unavailable(self, lost_sqlite_database: PiccoloDatabase) -> PiccoloSkillFiles:
        return PiccoloSkillFiles(database=lost_sqlite_database)


class TestPiccoloSkillFilesOnPostgres(OnPostgres, SkillFilesContract, SkillFilesOutageContract):
    @pytest.fixture
    def unavailable(self, lost_postgres_database: PiccoloDatabase) -> PiccoloSkillFiles:
        return PiccoloSkillFiles(database=lost_postgres_database)
