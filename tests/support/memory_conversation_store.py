"""A rig around the conversation store in memory."""

from polyant.adapters.memory.conversation_maintenance import MemoryConversationMaintenance
from polyant.adapters.memory.conversation_repo import MemoryConversationRepo
from polyant.adapters.memory.inbox import MemoryInbox
from polyant.adapters.memory.lanes import MemoryLanes
from polyant.adapters.memory.outbox import MemoryOutbox
from polyant.adapters.memory.store import MemoryStore
from polyant.testing.conversation_store import ConversationStoreRig
from polyant.testing.manual_clock import ManualClock


class MemoryConversationStoreRig(ConversationStoreRig):
    """The five ports around one MemoryStore, and its clock."""

    def __init__(self) -> None:
        self.store, self.clock = MemoryStore(), ManualClock()
        self.conversations = MemoryConversationRepo(store=self.store, clock=self.clock)
        self.maintenance = MemoryConversationMaintenance(store=self.store, clock=self.clock)
        self.lanes = MemoryLanes(store=self.store, clock=self.clock)
        self.inbox = MemoryInbox(store=self.store, clock=self.clock)
        self.outbox = MemoryOutbox(store=self.store, clock=self.clock)

    async def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)
