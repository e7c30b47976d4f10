import pytest

from polyant.testing.conversation_repo import ConversationRepoContract
from support.memory_conversation_store import MemoryConversationStoreRig


class TestMemoryConversationRepo(ConversationRepoContract):
    @pytest.fixture
    def rig(self) -> MemoryConversationStoreRig:
        return MemoryConversationStoreRig()
