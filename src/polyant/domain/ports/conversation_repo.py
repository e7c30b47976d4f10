"""Port: storage of conversations."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

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


@runtime_checkable
class ConversationRepo(Protocol):
    """Stores conversations and their messages; texts are ciphertext, and are returned unchanged.

    Shares its store with `Lanes`, `Inbox`, `Outbox` and `ConversationMaintenance`. Stored data survives the death
    of the process once the method returns. Every method raises `StorageUnavailableError` if the store is
    unavailable.
    """

    @abstractmethod
    async def current(self, lane: LaneId, *, newest: int, tokens: int | None = None) -> CurrentConversation | None:
        """Returns the lane's current conversation, or None if it has none.

        The messages are the newest answered ones, at most `newest`, oldest first; with 0, none is returned. Messages
        are ordered by when they were stored, and those of one call by their order in it. With `tokens`, the text of a
        message that has more tokens is empty, so that a turn reads no long texts that don't go to the model.
        """

    @abstractmethod
    async def start(self, conversation: Conversation, *, replaces: ConversationId | None = None) -> Conversation:
        """Stores a new conversation, makes it the current one of its lane, and returns it.

        If the lane's current conversation isn't the one that it `replaces` (None: the lane has none), nothing is stored
        and the current one is returned. Of concurrent calls for one lane, one stores its conversation. The replaced
        conversation stays stored. A lane without a current conversation gets the new one, whatever it `replaces`. The
        lane is created if it doesn't exist; a known one keeps its description and its lease. Counts of the given
        conversation are ignored.
        """

    @abstractmethod
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
        """Stores messages at the end of a conversation: all or none.

        - A stored unanswered message with the digest of one of `messages` is deleted, because that one repeats
          it; unless the call gives it again.
        - A message whose id is stored is ignored, and so is a second message of the assistant for one turn: repeating
          a call changes nothing.
        - With `release`, the lease ends with the write, as `Lanes.release` ends it.
        - A call with `release` changes nothing if its lease has ended and its messages are stored.
        - The conversation's time of update becomes the time of the latest message, if that is later.

        Args:
            conversation: The conversation.
            messages: The messages, oldest first.
            lease: The lease of the conversation's lane; nothing is stored once it is lost.
            answers: The turn whose unanswered messages become answered, with those in `messages`.
            client_managed: Whether the conversation is client-managed from now on; False changes nothing.
            release: Whether the lease ends with the write.

        Raises:
            UnknownConversationError: The conversation doesn't exist, or was deleted.
            LeaseLostError: The lease was taken by another holder, or released.
        """

    @abstractmethod
    async def list(self, query: ConversationFilter, *, limit: int, offset: int = 0) -> ConversationPage:
        """Returns the conversations that match, the latest updated first, then by id; `total` ignores the page."""

    @abstractmethod
    async def show(
        self,
        conversation: ConversationId,
        *,
        newest: int | None = None,
        tokens: int | None = None,
        piece: HistoryPiece | None = None,
    ) -> History:
        """Returns a conversation with its newest messages, answered or not, oldest first; with None, with all.

        With `tokens`, there are as many messages as have that many tokens together, but the newest in any case. With a
        `piece`, they are the messages of that piece instead: repeated calls read a whole conversation in pieces of
        bounded size.

        Raises:
            UnknownConversationError: The conversation doesn't exist, or doesn't have the message before the piece.
        """

    @abstractmethod
    async def delete(self, selection: ConversationSelection, *, limit: int) -> Deletion:
        """Deletes one batch of the selected conversations, at most `limit` messages, and returns what it removed.

        Call it again until the deletion is complete. Deleted data can't be recovered from the store's files. With
        the last message of a conversation its data key is deleted, with its deliveries, and with its lane if that
        is free and has no events. Deleting all conversations of a user or an instance also deletes their events,
        deliveries and free lanes, and the user's messages in the conversations of others, by their sender. Unknown ids
        delete nothing.
        """
