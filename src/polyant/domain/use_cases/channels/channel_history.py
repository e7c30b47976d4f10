"""The conversation of a lane, opened for a turn."""

import msgspec

from polyant.domain.chat import AssistantMessage, UserMessage
from polyant.domain.history_window import HistoryBudget
from polyant.domain.instances import Instance
from polyant.domain.lanes import Lease
from polyant.domain.media.conversation_media import ConversationMedia
from polyant.domain.new_conversations import NewConversations
from polyant.domain.open_conversation import ConversationKeys, OpenConversation
from polyant.domain.ports.conversation_repo import ConversationRepo


class LaneConversation(msgspec.Struct, frozen=True):
    """A lane's current conversation, and the messages of it that go to the model, oldest first."""

    opened: OpenConversation
    earlier: tuple[UserMessage | AssistantMessage, ...] = ()


class ChannelHistory:
    """Opens the conversations of lanes, and starts new ones."""

    def __init__(
        self,
        *,
        conversations: ConversationRepo,
        keys: ConversationKeys,
        new: NewConversations,
        media: ConversationMedia,
    ) -> None:
        self._conversations = conversations
        self._keys = keys
        self._new = new
        self._media = media

    async def open(self, lease: Lease, instance: Instance, *, label: str) -> LaneConversation:
        """Returns the current conversation of the lane; starts one if there is none.

        Args:
            lease: The lease of the lane.
            instance: The instance, whose settings bound the history.
            label: The text that shows operators who the peer is.

        Raises:
            StorageUnavailableError: The store is unavailable.
            SecretUnreadableError: The conversation can't be decrypted.
            UnknownInstanceError: The instance has been deleted.
        """
        budget = HistoryBudget(instance.history_tokens, instance.history_messages)
        found = await self._conversations.current(lease.lane.id, newest=budget.messages, tokens=budget.tokens)
        if found is None:
            return LaneConversation(await self._new.start(lease.lane, instance, label=label))
        opened = await self._keys.open(found.conversation)
        with self._media.account() as memory:
            history = opened.history(found.messages, budget=budget)
            return LaneConversation(opened, await self._media.recalled(opened, history, memory))

    async def restart(self, lease: Lease, instance: Instance, *, label: str) -> None:
        """Starts a new conversation in the lane, if that has one, which ends and stays stored.

        Args:
            lease: The lease of the lane.
            instance: The instance.
            label: The text that shows operators who the peer is.

        Raises:
            StorageUnavailableError: The store is unavailable.
            UnknownInstanceError: The instance has been deleted.
        """
        if lease.conversation is not None:
            await self._new.start(lease.lane, instance, label=label, replaces=lease.conversation)
