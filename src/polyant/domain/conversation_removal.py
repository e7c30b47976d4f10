"""Deletion of conversations in small batches."""

from datetime import datetime

import msgspec

from polyant.domain.conversations import ConversationSelection, Deletion
from polyant.domain.ports.conversation_maintenance import ConversationMaintenance
from polyant.domain.ports.conversation_repo import ConversationRepo

BATCH = 200
"""The number of messages that one transaction deletes."""


class Removed(msgspec.Struct, frozen=True):
    """The numbers of deleted conversations and messages."""

    conversations: int = 0
    messages: int = 0

    def plus(self, deletion: Deletion) -> "Removed":
        """Returns the numbers after another batch."""
        return Removed(self.conversations + len(deletion.conversations), self.messages + len(deletion.messages))


class ConversationRemoval:
    """Deletes conversations for good.

    Args:
        repo: Stores the conversations.
        maintenance: Finds expired messages.
    """

    def __init__(self, *, repo: ConversationRepo, maintenance: ConversationMaintenance) -> None:
        self._repo = repo
        self._maintenance = maintenance

    async def delete(self, selection: ConversationSelection) -> Removed:
        """Deletes the selected conversations, and returns their numbers; it can be repeated after an interruption.

        Raises:
            StorageUnavailableError: The store is unavailable; some conversations may be deleted.
        """
        removed, complete = Removed(), False
        while not complete:
            deletion = await self._repo.delete(selection, limit=BATCH)
            removed, complete = removed.plus(deletion), deletion.complete
        return removed

    async def expire_batch(self, before: datetime) -> tuple[Removed, bool]:
        """Deletes one batch of messages older than a time, and returns whether it was the last.

        Raises:
            StorageUnavailableError: The store is unavailable.
        """
        deletion = await self._maintenance.expire_messages(before, limit=BATCH)
        return Removed().plus(deletion), deletion.complete
