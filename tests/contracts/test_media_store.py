from pathlib import Path

import pytest

from polyant.adapters.files.media_store import FolderMediaStore
from polyant.adapters.memory.media_store import MemoryMediaStore
from polyant.adapters.piccolo.database import PiccoloDatabase
from polyant.adapters.piccolo.media_store import PiccoloMediaStore
from polyant.domain.media.stored import MediaFolder
from polyant.testing.media_store import MediaStoreContract, MediaStoreOutageContract


class TestMemoryMediaStore(MediaStoreContract):
    @pytest.fixture
    def media_store(self) -> MemoryMediaStore:
        return MemoryMediaStore()


class TestFolderMediaStore(MediaStoreContract, MediaStoreOutageContract):
    @pytest.fixture
    def media_store(self, tmp_path: Path) -> FolderMediaStore:
        return FolderMediaStore(folder=MediaFolder(tmp_path / "new" / "media"))

    @pytest.fixture
    def unavailable(self, tmp_path: Path) -> FolderMediaStore:
        file = tmp_path / "media"
        file.touch()
        return FolderMediaStore(folder=MediaFolder(file))


class TestPiccoloMediaStoreOnSqlite(MediaStoreContract, MediaStoreOutageContract):
    @pytest.fixture
    def media_store(self, sqlite_database: PiccoloDatabase) -> PiccoloMediaStore:
        return PiccoloMediaStore(database=sqlite_database)

    @pytest.fixture
    def unavailable(self, lost_sqlite_database: PiccoloDatabase) -> PiccoloMediaStore:
        return PiccoloMediaStore(database=lost_sqlite_database)


class TestPiccoloMediaStoreOnPostgres(MediaStoreContract, MediaStoreOutageContract):
    @pytest.fixture
    def media_store(self, postgres_database: PiccoloDatabase) -> PiccoloMediaStore:
        return PiccoloMediaStore(database=postgres_database)

    @pytest.fixture
    def unavailable(self, lost_postgres_database: PiccoloDatabase) -> PiccoloMediaStore:
        return PiccoloMediaStore(database=lost_postgres_database)
