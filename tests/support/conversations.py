"""Stored conversations on memory adapters."""

from collections.abc import Sequence

from polyant.adapters.crypto.data_cipher import AesGcmDataCipher
from polyant.adapters.media_deletion.conversation_repo import MediaDeletingConversationRepo
from polyant.adapters.memory.conversation_maintenance import MemoryConversationMaintenance
from polyant.adapters.memory.conversation_repo import MemoryConversationRepo
from polyant.adapters.memory.image_fetcher import MemoryImageFetcher
from polyant.adapters.memory.inbox import MemoryInbox
from polyant.adapters.memory.instance_repo import MemoryInstanceRepo
from polyant.adapters.memory.lanes import MemoryLanes
from polyant.adapters.memory.media_store import MemoryMediaStore
from polyant.adapters.memory.store import MemoryStore
from polyant.adapters.system.token_source import SystemTokenSource
from polyant.domain.chat import AssistantMessage
from polyant.domain.conversation_removal import ConversationRemoval
from polyant.domain.conversation_turn import ConversationTurns
from polyant.domain.conversations import ConversationFilter, History, Message
from polyant.domain.injectables import LeaseSeconds, ProcessName
from polyant.domain.instances import InstanceId
from polyant.domain.lane_leases import LaneLeases
from polyant.domain.lookup_hashes import LookupHashes
from polyant.domain.media.conversation_media import ConversationMedia
from polyant.domain.media.image_intake import ImageIntake
from polyant.domain.media.sizes import MediaBytes, MediaMemory
from polyant.domain.new_conversations import NewConversations
from polyant.domain.open_conversation import ConversationKeys
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.data_cipher import DataCipher
from polyant.domain.ports.secret_cipher import SecretCipher
from polyant.testing.manual_clock import ManualClock


class ConversationHarness:
    """The conversation store in memory, with all that a turn needs of it.

    Args:
        cipher: Wraps data keys.
        memory: The store.
        clock: Determines times and the ends of leases.
        lease_seconds: The duration of a lease.
        media_memory: Counts the bytes of media.
    """

    def __init__(
        self,
        cipher: SecretCipher,
        *,
        memory: MemoryStore | None = None,
        clock: Clock | None = None,
        lease_seconds: float = 30.0,
        media_memory: MediaMemory | None = None,
    ) -> None:
        self.memory, self.clock = memory or MemoryStore(), clock or ManualClock()
        self.media_store = MemoryMediaStore()
        self.repo = MediaDeletingConversationRepo(
            repo=MemoryConversationRepo(store=self.memory, clock=self.clock), media_store=self.media_store
        )
        self.lanes = MemoryLanes(store=self.memory, clock=self.clock)
        self.inbox = MemoryInbox(store=self.memory, clock=self.clock)
        self.maintenance = MemoryConversationMaintenance(store=self.memory, clock=self.clock)
        self.removal = ConversationRemoval(repo=self.repo, maintenance=self.maintenance)
        self.data_cipher: DataCipher = AesGcmDataCipher(cipher=cipher)
        self.hashes = LookupHashes(inbox=self.inbox, data_cipher=self.data_cipher)
        self.keys = ConversationKeys(data_cipher=self.data_cipher, tokens=SystemTokenSource(), clock=self.clock)
        self.media = ConversationMedia(
            store=self.media_store,
            intake=ImageIntake(fetcher=MemoryImageFetcher()),
            memory=media_memory or MediaMemory(MediaBytes(1_000_000)),
        )
        self.new = NewConversations(
            instances=MemoryInstanceRepo(memory=self.memory), conversations=self.repo, keys=self.keys
        )
        self._lease_seconds = LeaseSeconds(lease_seconds)
        self.turns = self.process("tests")

    def process(self, name: str) -> ConversationTurns:
        """Returns the turns of another process on the same store."""
        return ConversationTurns(
            repo=self.repo,
            leases=LaneLeases(lanes=self.lanes, owner=ProcessName(name), seconds=self._lease_seconds),
            hashes=self.hashes,
            keys=self.keys,
            new=self.new,
            media=self.media,
            clock=self.clock,
        )

    async def histories(self, instance: InstanceId) -> Sequence[History]:
        """Returns all conversations of an instance with all their messages, the latest updated first."""
        page = await self.repo.list(ConversationFilter(instance=instance), limit=1_000)
        return [await self.repo.show(found.id) for found in page.conversations]

    async def texts(self, instance: InstanceId) -> list[tuple[str, str, bool]]:
        """Returns role, text and whether it is answered, of each message of the instance's only conversation."""
        (history,) = await self.histories(instance)
        opened = await self.keys.open(history.conversation)

        def shown(message: Message) -> tuple[str, str, bool]:
            content = opened.content_of(message)
            text = content.content if isinstance(content, AssistantMessage) else content.text
            return str(message.role), text, message.answered

        return list(map(shown, history.messages))
