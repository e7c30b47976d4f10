"""Starts conversations, but never for an instance that is deleted meanwhile."""

from polyant.domain.conversations import ConversationId, ConversationSelection
from polyant.domain.errors import UnknownInstanceError
from polyant.domain.instances import Instance
from polyant.domain.lanes import Lane
from polyant.domain.open_conversation import ConversationKeys, OpenConversation
from polyant.domain.ports.conversation_repo import ConversationRepo
from polyant.domain.ports.instance_repo import InstanceRepo


class NewConversations:
    """Starts conversations in lanes.

    Args:
        instances: The store of instances itself, without a cache.
        conversations: Stores the conversations.
        keys: Creates data keys.
    """

    def __init__(self, *, instances: InstanceRepo, conversations: ConversationRepo, keys: ConversationKeys) -> None:
        self._instances = instances
        self._conversations = conversations
        self._keys = keys

    async def start(
        self, lane: Lane, instance: Instance, *, label: str | None, replaces: ConversationId | None = None
    ) -> OpenConversation:
        """Starts a conversation, and returns the lane's current one.

        Args:
            lane: The lane, which the caller holds.
            instance: The instance.
            label: The text that shows operators who the peer is.
            replaces: The lane's current conversation, which ends; it stays stored.

        Raises:
            UnknownInstanceError: The instance has been deleted; nothing stays stored.
            StorageUnavailableError: A store is unavailable.
            SecretUnreadableError: Another process has started a conversation that can't be decrypted.
        """
        draft = await self._keys.draft(lane, label=label)
        stored = await self._conversations.start(draft.conversation, replaces=replaces)
        # A deletion removes the instance first and its conversations afterwards. If the instance is still there now,
        # they are yet to be removed, with this one.
        found = await self._instances.get(instance.slug)
        if found is None or found.id != instance.id:
            selection = ConversationSelection(instance=instance.id, conversation=draft.id)
            await self._conversations.delete(selection, limit=1)
            raise UnknownInstanceError(instance.slug)
        return draft if stored.id == draft.id else await self._keys.open(stored)
