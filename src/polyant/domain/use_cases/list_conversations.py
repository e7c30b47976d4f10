"""Use case: list the conversations of an instance."""

from datetime import datetime

import msgspec

from polyant.domain.conversations import ConversationFilter
from polyant.domain.errors import InvalidInputError
from polyant.domain.instances import Slug
from polyant.domain.lookup_hashes import LookupHashes
from polyant.domain.open_conversation import ConversationKeys
from polyant.domain.ports.conversation_repo import ConversationRepo
from polyant.domain.ports.instance_repo import InstanceRepo
from polyant.domain.transcripts import SummaryPage, summaries_of
from polyant.domain.use_cases.show_instance import ShowInstance


class ConversationQuery(msgspec.Struct, frozen=True, kw_only=True):
    """The conversations to list; each condition that is set must hold."""

    channel: str | None = None
    user: str | None = None
    """The user's id; requires a channel, because an id belongs to one."""
    since: datetime | None = None
    until: datetime | None = None
    unanswered: bool | None = None
    search: str = ""
    """The beginning of a conversation's id, the id of a turn, or the name of a tool; texts aren't searched."""
    limit: int = 50
    offset: int = 0


class ListConversations:
    """Lists conversations by their metadata, the latest updated first."""

    def __init__(
        self,
        *,
        repo: InstanceRepo,
        conversations: ConversationRepo,
        keys: ConversationKeys,
        hashes: LookupHashes,
    ) -> None:
        self._show = ShowInstance(repo=repo)
        self._conversations = conversations
        self._keys = keys
        self._hashes = hashes

    async def __call__(self, slug: Slug, query: ConversationQuery) -> SummaryPage:
        """Returns a page of the conversations that match.

        Raises:
            UnknownInstanceError: No instance has that slug.
            InvalidInputError: A user is given without a channel.
        """
        instance = await self._show(slug)
        user = None
        if query.user is not None:
            if query.channel is None:
                raise InvalidInputError("user requires channel, because the id of a user belongs to a channel")
            user = await self._hashes.user(instance.id, query.channel, query.user)
        found = await self._conversations.list(
            ConversationFilter(
                instance=instance.id,
                channel=query.channel,
                user=user,
                since=query.since,
                until=query.until,
                unanswered=query.unanswered,
                text=query.search or None,
            ),
            limit=query.limit,
            offset=query.offset,
        )
        return await summaries_of(found, self._keys)
