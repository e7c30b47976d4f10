import pytest

from polyant.testing.outbox import OutboxContract
from support.memory_conversation_store import MemoryConversationStoreRig


class TestMemoryOutbox(OutboxContract):
    @pytest.fixture
    def rig(self) -> MemoryConversationStoreRig:
        return MemoryConversationStoreRig()
