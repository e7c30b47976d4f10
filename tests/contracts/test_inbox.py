import pytest

from polyant.adapters.piccolo.database import PiccoloDatabase
from polyant.testing.inbox import InboxContract, InboxOutageContract
from support.conversation_stores import MemoryConversationStoreRig, PiccoloConversationStoreRig


class TestMemoryInbox(InboxContract):
    @pytest.fixture
    def rig(self) -> MemoryConversationStoreRig:
        return MemoryConversationStoreRig()


class TestPiccoloInboxOnSqlite(InboxContract, InboxOutageContract):
    @pytest.fixture
    def rig(self, sqlite_database: PiccoloDatabase) -> PiccoloConversationStoreRig:
        return PiccoloConversationStoreRig(sqlite_database)

    @pytest.fixture
    def unavailable(self, lost_sqlite_database: PiccoloDatabase) -> PiccoloConversationStoreRig:
        return PiccoloConversationStoreRig(lost_sqlite_database)


class TestPiccoloInboxOnPostgres(InboxContract, InboxOutageContract):
    @pytest.fixture
    def rig(self, postgres_database: PiccoloDatabase) -> PiccoloConversationStoreRig:
        return PiccoloConversationStoreRig(postgres_database)

    @pytest.fixture
    def unavailable(self, lost_postgres_database: PiccoloDatabase) -> PiccoloConversationStoreRig:
        return PiccoloConversationStoreRig(lost_postgres_database)
