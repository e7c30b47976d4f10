"""Use case: read or export a conversation."""

from polyant.domain.audit import Actor, Change
from polyant.domain.conversations import ConversationId
from polyant.domain.errors import PermissionDeniedError, UnknownConversationError
from polyant.domain.instances import Slug
from polyant.domain.open_conversation import ConversationKeys
from polyant.domain.ports.audit_log import AuditLog
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.conversation_repo import ConversationRepo
from polyant.domain.ports.instance_repo import InstanceRepo
from polyant.domain.transcripts import Transcript, may_read, transcript_of
from polyant.domain.use_cases.show_instance import ShowInstance


class ReadConversation:
    """Shows one conversation with its messages; reading texts is recorded in the audit trail."""

    def __init__(
        self,
        *,
        repo: InstanceRepo,
        conversations: ConversationRepo,
        keys: ConversationKeys,
        audit_log: AuditLog,
        clock: Clock,
    ) -> None:
        self._show = ShowInstance(repo=repo)
        self._conversations = conversations
        self._keys = keys
        self._audit_log = audit_log
        self._clock = clock

    async def __call__(
        self,
        slug: Slug,
        conversation: ConversationId,
        *,
        by: Actor,
        unrestricted: bool = False,
        newest: int | None = None,
    ) -> Transcript:
        """Returns the conversation, without texts if the reader may see only its metadata.

        Args:
            slug: The instance.
            conversation: The conversation.
            by: The reader.
            unrestricted: Whether the reader is a superadmin or the command line.
            newest: The number of messages, the newest; None for all.

        Raises:
            UnknownInstanceError: No instance has that slug.
            UnknownConversationError: The instance has no such conversation.
        """
        return await self._read(slug, conversation, by, "conversation.read", unrestricted=unrestricted, newest=newest)

    async def export(
        self, slug: Slug, conversation: ConversationId, *, by: Actor, unrestricted: bool = False
    ) -> Transcript:
        """Returns the conversation with its texts.

        Raises:
            PermissionDeniedError: The reader may see only its metadata.
            Exception: As for a call.
        """
        found = await self._read(slug, conversation, by, "conversation.export", unrestricted=unrestricted)
        if not found.readable:
            raise PermissionDeniedError("Only a superadmin may read the texts of this instance's conversations")
        return found

    async def _read(
        self,
        slug: Slug,
        conversation: ConversationId,
        by: Actor,
        action: str,
        *,
        unrestricted: bool,
        newest: int | None = None,
    ) -> Transcript:
        instance = await self._show(slug)
        history = await self._conversations.show(conversation, newest=newest)
        if history.conversation.instance != instance.id:
            raise UnknownConversationError
        readable = may_read(instance, unrestricted=unrestricted)
        if readable:  # recorded first, so that nobody reads without a record
            await self._audit_log.add(Change(by, action, (conversation,)).entry(self._clock.now(), instance=slug))
        return await transcript_of(history, self._keys, readable=readable)
