import pytest

from polyant.testing.conversation_maintenance import ConversationMaintenanceContract
from support.memory_conversation_store import MemoryConversationStoreRig


class TestMemoryConversationMaintenance(ConversationMaintenanceContract):
    @pytest.fixture
    def rig(self) -> MemoryConversationStoreRig:
        return MemoryConversationStoreRig()
