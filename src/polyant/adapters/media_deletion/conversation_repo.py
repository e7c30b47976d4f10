"""A ConversationRepo that deletes media together with their messages."""

from collections.abc import Sequence

from polyant.domain.conversations import (
    Conversation,
    ConversationFilter,
    ConversationId,
    ConversationPage,
    ConversationSelection,
    CurrentConversation,
    Deletion,
    History,
    HistoryPiece,
    LaneId,
    Message,
    TurnId,
)
from polyant.domain.lanes import Lease
from polyant.domain.ports.conversation_repo import ConversationRepo
from polyant.domain.ports.media_store import MediaStore


class MediaDeletingConversationRepo(ConversationRepo):
    """Passes all calls to a repository, and deletes the media of deleted messages and conversations.

    If the process dies between the two, the media are unreadable, because their data key is gone, and expire later.

    Args:
        repo: The repository.
        media_store: Stores the media.
    """

    def __init__(self, *, repo: ConversationRepo, media_store: MediaStore) -> None:
        self._repo = repo
        self._media = media_store

    async def current(self, lane: LaneId, *, newest: int, tokens: int | None = None) -> CurrentConversation | None:
        return await self._repo.current(lane, newest=newest, tokens=tokens)

    async def start(self, conversation: Conversation, *, replaces: ConversationId | None = None) -> Conversation:
        return await self._repo.start(conversation, replaces=replaces)

    async def append(
        self,
        conversation: ConversationId,
        messages: Sequence[Message],
        *,
        lease: Lease | None = None,
        answers: TurnId | None = None,
        client_managed: bool = False,
        release: bool = False,
    ) -> None:
        await self._repo.append(
            conversation, messages, lease=lease, answers=answers, client_managed=client_managed, release=release
        )

    async def list(self, query: ConversationFilter, *, limit: int, offset: int = 0) -> ConversationPage:
        return await self._repo.list(query, limit=limit, offset=offset)

    async def show(
        self,
        conversation: ConversationId,
        *,
        newest: int | None = None,
        tokens: int | None = None,
        piece: HistoryPiece | None = None,
    ) -> History:
        return await self._repo.show(conversation, newest=newest, tokens=tokens, piece=piece)

    async def delete(self, selection: ConversationSelection, *, limit: int) -> Deletion:
        deletion = await self._repo.delete(selection, limit=limit)
        await self._media.delete(messages=deletion.messages, conversations=deletion.conversations)
        return deletion
