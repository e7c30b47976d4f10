"""A ConversationMaintenance whose retention includes media."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from polyant.domain.conversations import Deletion, KeyReplacement, LaneId, WrappedKey
from polyant.domain.ports.conversation_maintenance import ConversationMaintenance
from polyant.domain.ports.media_store import MediaStore


class MediaDeletingConversationMaintenance(ConversationMaintenance):
    """Passes all calls to another one, and deletes the media of expired messages, and old ones without a message.

    Args:
        maintenance: The work on the conversation store.
        media_store: Stores the media.
    """

    def __init__(self, *, maintenance: ConversationMaintenance, media_store: MediaStore) -> None:
        self._maintenance = maintenance
        self._media = media_store

    async def expire_messages(self, before: datetime, *, limit: int) -> Deletion:
        deletion = await self._maintenance.expire_messages(before, limit=limit)
        await self._media.delete(messages=deletion.messages, conversations=deletion.conversations)
        all_media = await self._media.expire(before, limit=limit)
        return msgspec.structs.replace(deletion, complete=deletion.complete and all_media)

    async def expire_events(self, *, finished_before: datetime, dead_before: datetime, limit: int) -> bool:
        return await self._maintenance.expire_events(
            finished_before=finished_before, dead_before=dead_before, limit=limit
        )

    async def heal(self) -> tuple[LaneId, ...]:
        return await self._maintenance.heal()

    async def outdated_keys(self, current: str, *, limit: int) -> tuple[WrappedKey, ...]:
        return await self._maintenance.outdated_keys(current, limit=limit)

    async def replace_keys(self, replacements: Sequence[KeyReplacement]) -> int:
        return await self._maintenance.replace_keys(replacements)

    async def count_keys(self, wrapped_by: str) -> int:
        return await self._maintenance.count_keys(wrapped_by)
