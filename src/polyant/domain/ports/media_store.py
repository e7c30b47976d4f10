"""Port: storage of the media of conversations."""

from abc import abstractmethod
from collections.abc import AsyncGenerator, Collection
from datetime import datetime
from typing import Protocol, runtime_checkable

from polyant.domain.conversations import ConversationId, MessageId
from polyant.domain.media.stored import MediaAddress, StoredMedia


@runtime_checkable
class MediaStore(Protocol):
    """Stores the images, recordings and documents of messages; contents are ciphertext, and are returned unchanged.

    An item belongs to one message of one conversation; equal items of other messages are stored separately. Stored
    items survive the death of the process once the method returns. Calls may overlap. Every method raises
    StorageUnavailableError if the store is unavailable, and can be repeated.
    """

    @abstractmethod
    async def put(self, item: StoredMedia) -> None:
        """Stores an item, whole or not at all. An item that its message already has is left as it is."""

    @abstractmethod
    async def get(self, conversation: ConversationId, address: MediaAddress) -> StoredMedia:
        """Returns an item of a conversation; if several messages have one at that address, any of them.

        Raises:
            UnknownMediaError: The conversation has no such item.
        """

    @abstractmethod
    async def delete(
        self, *, messages: Collection[MessageId] = (), conversations: Collection[ConversationId] = ()
    ) -> None:
        """Deletes all items of these messages and of these conversations; unknown ids delete nothing.

        Deleted contents can't be recovered from the store's files.
        """

    @abstractmethod
    async def expire(self, before: datetime, *, limit: int) -> bool:
        """Deletes items whose time is before another, at most `limit`; returns False if more is left.

        It also deletes items whose message was never stored. Deleted contents can't be recovered from the store's
        files.
        """

    @abstractmethod
    def export(self) -> AsyncGenerator[StoredMedia, None]:
        """Yields every item, one in memory at a time, in any order; for backups.

        Items that are stored or deleted meanwhile may be included or missing.
        """
