import pytest

from polyant.testing.inbox import InboxContract
from support.memory_conversation_store import MemoryConversationStoreRig


class TestMemoryInbox(InboxContract):
    @pytest.fixture
    def rig(self) -> MemoryConversationStoreRig:
        return MemoryConversationStoreRig()
