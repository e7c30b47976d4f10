"""Use case: read an image, a recording or a document of a conversation."""

import re

from polyant.domain.audit import Actor, Change
from polyant.domain.conversations import ConversationId
from polyant.domain.errors import PermissionDeniedError, UnknownConversationError
from polyant.domain.instances import Slug
from polyant.domain.media.conversation_media import ConversationMedia
from polyant.domain.media.stored import MediaAddress, UnknownMediaError
from polyant.domain.open_conversation import ConversationKeys
from polyant.domain.ports.audit_log import AuditLog
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.conversation_repo import ConversationRepo
from polyant.domain.ports.instance_repo import InstanceRepo
from polyant.domain.transcripts import may_read
from polyant.domain.use_cases.show_instance import ShowInstance

_ADDRESS = re.compile(r"\A[0-9a-f]{64}\Z")


class ReadMedia:
    """Returns the content of an item; each reading is recorded in the audit trail."""

    def __init__(
        self,
        *,
        repo: InstanceRepo,
        conversations: ConversationRepo,
        keys: ConversationKeys,
        media: ConversationMedia,
        audit_log: AuditLog,
        clock: Clock,
    ) -> None:
        self._show = ShowInstance(repo=repo)
        self._conversations = conversations
        self._keys = keys
        self._media = media
        self._audit_log = audit_log
        self._clock = clock

    async def __call__(
        self, slug: Slug, conversation: ConversationId, address: str, *, by: Actor, unrestricted: bool = False
    ) -> bytes:
        """Returns the content.

        Args:
            slug: The instance.
            conversation: The conversation.
            address: The MediaAddress of the item.
            by: The reader.
            unrestricted: Whether the reader is a superadmin or the command line.

        Raises:
            UnknownInstanceError: No instance has that slug.
            UnknownConversationError: The instance has no such conversation.
            UnknownMediaError: The conversation has no such item.
            PermissionDeniedError: The reader may see only the metadata of the instance's conversations.
            SecretUnreadableError: The item can't be decrypted.
        """
        instance = await self._show(slug)
        history = await self._conversations.show(conversation, newest=0)
        if history.conversation.instance != instance.id:
            raise UnknownConversationError
        if not may_read(instance, unrestricted=unrestricted):
            raise PermissionDeniedError("Only a superadmin may read the texts of this instance's conversations")
        if not _ADDRESS.match(address):
            raise UnknownMediaError
        opened = await self._keys.open(history.conversation)
        content = await self._media.read(opened, MediaAddress(address))
        change = Change(by, "conversation.media", (conversation, address))
        await self._audit_log.add(change.entry(self._clock.now(), instance=slug))
        return content
