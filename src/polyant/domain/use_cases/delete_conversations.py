"""Use case: delete conversations of an instance."""

from polyant.domain.audit import Actor, Change
from polyant.domain.conversation_removal import ConversationRemoval, Removed
from polyant.domain.conversations import ConversationId, ConversationSelection
from polyant.domain.errors import UnknownConversationError
from polyant.domain.instances import Instance, Slug
from polyant.domain.lookup_hashes import LookupHashes
from polyant.domain.ports.audit_log import AuditLog
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.conversation_repo import ConversationRepo
from polyant.domain.ports.instance_repo import InstanceRepo
from polyant.domain.use_cases.show_instance import ShowInstance


class DeleteConversations:
    """Deletes one conversation, those of a user, or all of an instance; each is recorded in the audit trail."""

    def __init__(
        self,
        *,
        repo: InstanceRepo,
        conversations: ConversationRepo,
        removal: ConversationRemoval,
        hashes: LookupHashes,
        audit_log: AuditLog,
        clock: Clock,
    ) -> None:
        self._show = ShowInstance(repo=repo)
        self._conversations = conversations
        self._removal = removal
        self._hashes = hashes
        self._audit_log = audit_log
        self._clock = clock

    async def one(self, slug: Slug, conversation: ConversationId, *, by: Actor) -> Removed:
        """Deletes a conversation with its messages and its data key.

        Raises:
            UnknownInstanceError: No instance has that slug.
            UnknownConversationError: The instance has no such conversation.
        """
        instance = await self._show(slug)
        if (await self._conversations.show(conversation, newest=0)).conversation.instance != instance.id:
            raise UnknownConversationError
        selection = ConversationSelection(instance=instance.id, conversation=conversation)
        return await self._delete(instance, selection, Change(by, "conversation.delete", (conversation,)))

    async def of_user(self, slug: Slug, channel: str, user: str, *, by: Actor) -> Removed:
        """Deletes all that is stored of a user of a channel: conversations, turns in groups, events and deliveries.

        The audit trail doesn't name the user.

        Raises:
            UnknownInstanceError: No instance has that slug.
        """
        instance = await self._show(slug)
        hashed = await self._hashes.user(instance.id, channel, user)
        selection = ConversationSelection(instance=instance.id, user=hashed)
        return await self._delete(instance, selection, Change(by, "conversation.delete_user", (channel,)))

    async def all(self, slug: Slug, *, by: Actor) -> Removed:
        """Deletes all conversations of an instance, with the events and deliveries of its channels.

        Raises:
            UnknownInstanceError: No instance has that slug.
        """
        instance = await self._show(slug)
        selection = ConversationSelection(instance=instance.id)
        return await self._delete(instance, selection, Change(by, "conversation.delete_all"))

    async def _delete(self, instance: Instance, selection: ConversationSelection, change: Change) -> Removed:
        # Recorded first: a deletion that is interrupted has deleted something.
        await self._audit_log.add(change.entry(self._clock.now(), instance=instance.slug))
        return await self._removal.delete(selection)
