import pytest

from polyant.testing.lanes import LanesContract
from support.memory_conversation_store import MemoryConversationStoreRig


class TestMemoryLanes(LanesContract):
    @pytest.fixture
    def rig(self) -> MemoryConversationStoreRig:
        return MemoryConversationStoreRig()
