"""Use case: read or export a conversation."""

from polyant.domain.audit import Actor, Change
from polyant.domain.conversations import Conversation, ConversationId
from polyant.domain.errors import PermissionDeniedError, UnknownConversationError
from polyant.domain.instances import Slug
from polyant.domain.open_conversation import ConversationKeys
from polyant.domain.ports.audit_log import AuditLog
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.conversation_repo import ConversationRepo
from polyant.domain.ports.instance_repo import InstanceRepo
from polyant.domain.transcripts import Transcript, WholeTranscript, may_read, transcript_of, whole_transcript_of
from polyant.domain.use_cases.show_instance import ShowInstance

_NEWEST_TOKENS = 500_000
"""About 2 MB of text, more than anybody reads on a page."""


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

    async def newest(
        self, slug: Slug, conversation: ConversationId, *, by: Actor, count: int, unrestricted: bool = False
    ) -> Transcript:
        """Returns the newest messages, without texts if the reader may see only their metadata.

        Args:
            slug: The instance.
            conversation: The conversation.
            by: The reader.
            count: The number of messages. There are fewer if they are long.
            unrestricted: Whether the reader is a superadmin or the command line.

        Raises:
            UnknownInstanceError: The instance doesn't exist.
            UnknownConversationError: The instance has no such conversation.
        """
        _, readable = await self._begin("conversation.read", slug, conversation, by=by, unrestricted=unrestricted)
        history = await self._conversations.show(conversation, newest=count, tokens=_NEWEST_TOKENS)
        return await transcript_of(history, self._keys, readable=readable)

    async def whole(
        self, slug: Slug, conversation: ConversationId, *, by: Actor, unrestricted: bool = False
    ) -> WholeTranscript:
        """Returns all messages, without texts if the reader may see only their metadata.

        Args:
            slug: The instance.
            conversation: The conversation.
            by: The reader.
            unrestricted: Whether the reader is a superadmin or the command line.

        Raises:
            UnknownInstanceError: The instance doesn't exist.
            UnknownConversationError: The instance has no such conversation.
        """
        found, readable = await self._begin("conversation.read", slug, conversation, by=by, unrestricted=unrestricted)
        return await whole_transcript_of(found, self._keys, self._conversations, readable=readable)

    async def export(
        self, slug: Slug, conversation: ConversationId, *, by: Actor, unrestricted: bool = False
    ) -> WholeTranscript:
        """Returns all messages with their texts.

        Raises:
            PermissionDeniedError: The reader may see only their metadata.
            Exception: As for `whole`.
        """
        found, readable = await self._begin("conversation.export", slug, conversation, by=by, unrestricted=unrestricted)
        if not readable:
            raise PermissionDeniedError("Only a superadmin may read the texts of this instance's conversations")
        return await whole_transcript_of(found, self._keys, self._conversations, readable=True)

    async def _begin(
        self, action: str, slug: Slug, conversation: ConversationId, *, by: Actor, unrestricted: bool
    ) -> tuple[Conversation, bool]:
        """Returns the conversation, and whether its texts may be read; that is recorded before anybody reads them."""
        instance = await self._show(slug)
        found = (await self._conversations.show(conversation, newest=0)).conversation
        if found.instance != instance.id:
            raise UnknownConversationError
        readable = may_read(instance, unrestricted=unrestricted)
        if readable:
            await self._audit_log.add(Change(by, action, (conversation,)).entry(self._clock.now(), instance=slug))
        return found, readable
