import pytest

from polyant.adapters.piccolo.database import PiccoloDatabase
from polyant.testing.conversation_repo import ConversationRepoContract, ConversationRepoOutageContract
from support.conversation_stores import MemoryConversationStoreRig, PiccoloConversationStoreRig


class TestMemoryConversationRepo(ConversationRepoContract):
    @pytest.fixture
    def rig(self) -> MemoryConversationStoreRig:
        return MemoryConversationStoreRig()


class TestPiccoloConversationRepoOnSqlite(ConversationRepoContract, ConversationRepoOutageContract):
    @pytest.fixture
    def rig(self, sqlite_database: PiccoloDatabase) -> PiccoloConversationStoreRig:
        return PiccoloConversationStoreRig(sqlite_database)

    @pytest.fixture
    def unavailable(self, lost_sqlite_database: PiccoloDatabase) -> PiccoloConversationStoreRig:
        return PiccoloConversationStoreRig(lost_sqlite_database)


class TestPiccoloConversationRepoOnPostgres(ConversationRepoContract, ConversationRepoOutageContract):
    @pytest.fixture
    def rig(self, postgres_database: PiccoloDatabase) -> PiccoloConversationStoreRig:
        return PiccoloConversationStoreRig(postgres_database)

    @pytest.fixture
    def unavailable(self, lost_postgres_database: PiccoloDatabase) -> PiccoloConversationStoreRig:
        return PiccoloConversationStoreRig(lost_postgres_database)
