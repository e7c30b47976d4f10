import pytest

from polyant.adapters.piccolo.database import PiccoloDatabase
from polyant.testing.conversation_maintenance import (
    ConversationMaintenanceContract,
    ConversationMaintenanceOutageContract,
)
from support.conversation_stores import MemoryConversationStoreRig, PiccoloConversationStoreRig


class TestMemoryConversationMaintenance(ConversationMaintenanceContract):
    @pytest.fixture
    def rig(self) -> MemoryConversationStoreRig:
        return MemoryConversationStoreRig()


class TestPiccoloConversationMaintenanceOnSqlite(
    ConversationMaintenanceContract, ConversationMaintenanceOutageContract
):
    @pytest.fixture
    def rig(self, sqlite_database: PiccoloDatabase) -> PiccoloConversationStoreRig:
        return PiccoloConversationStoreRig(sqlite_database)

    @pytest.fixture
    def unavailable(self, lost_sqlite_database: PiccoloDatabase) -> PiccoloConversationStoreRig:
        return PiccoloConversationStoreRig(lost_sqlite_database)


class TestPiccoloConversationMaintenanceOnPostgres(
    ConversationMaintenanceContract, ConversationMaintenanceOutageContract
):
    @pytest.fixture
    def rig(self, postgres_database: PiccoloDatabase) -> PiccoloConversationStoreRig:
        return PiccoloConversationStoreRig(postgres_database)

    @pytest.fixture
    def unavailable(self, lost_postgres_database: PiccoloDatabase) -> PiccoloConversationStoreRig:
        return PiccoloConversationStoreRig(lost_postgres_database)
