"""Media of conversations in memory."""

from collections.abc import AsyncGenerator, Collection
from datetime import datetime

from polyant.domain.conversations import ConversationId, MessageId
from polyant.domain.media.stored import MediaAddress, StoredMedia, UnknownMediaError
from polyant.domain.ports.media_store import MediaStore


class MemoryMediaStore(MediaStore):
    """Keeps media in memory."""

    def __init__(self) -> None:
        self._items: dict[tuple[ConversationId, MediaAddress, MessageId], StoredMedia] = {}

    async def put(self, item: StoredMedia) -> None:
        self._items.setdefault((item.conversation, item.address, item.message), item)

    async def get(self, conversation: ConversationId, address: MediaAddress) -> StoredMedia:
        for (owner, found, _), item in self._items.items():
            if (owner, found) == (conversation, address):
                return item
        raise UnknownMediaError

    async def delete(
        self, *, messages: Collection[MessageId] = (), conversations: Collection[ConversationId] = ()
    ) -> None:
        for key, item in list(self._items.items()):
            if item.message in messages or item.conversation in conversations:
                del self._items[key]

    async def expire(self, before: datetime, *, limit: int) -> bool:
        due = [key for key, item in self._items.items() if item.at < before]
        for key in due[:limit]:
            del self._items[key]
        return len(due) <= limit

    async def export(self) -> AsyncGenerator[StoredMedia, None]:
        for item in list(self._items.values()):
            yield item
