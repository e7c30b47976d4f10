from polyant.testing.conversation_maintenance import (
    ConversationMaintenanceContract,
    ConversationMaintenanceOutageContract,
)
from support.conversation_stores import InMemory, OnPostgres, OnSqlite


class TestMemoryConversationMaintenance(InMemory, ConversationMaintenanceContract):
    pass


class TestPiccoloConversationMaintenanceOnSqlite(
    OnSqlite, ConversationMaintenanceContract, ConversationMaintenanceOutageContract
):
    pass


class TestPiccoloConversationMaintenanceOnPostgres(
    OnPostgres, ConversationMaintenanceContract, ConversationMaintenanceOutageContract
):
    pass
