"""The conversations that turns of this process continued last."""

from collections import OrderedDict

from polyant.domain.conversations import Conversation, LaneId
from polyant.domain.errors import SecretUnreadableError
from polyant.domain.open_conversation import ConversationKeys, OpenConversation

MAX_KNOWN = 1_000
"""The maximum number of conversations that a process remembers."""


class KnownConversations:
    """Remembers the conversations of lanes, so that a turn can encrypt its first message before it has read anything.

    The data keys are remembered wrapped, and each turn unwraps its own. Its memory can be outdated: another
    process may have deleted or replaced the conversation.

    Args:
        keys: Opens conversations.
    """

    def __init__(self, keys: ConversationKeys) -> None:
        self._keys = keys
        self._known: OrderedDict[LaneId, Conversation] = OrderedDict()

    async def open(self, lane: LaneId) -> OpenConversation | None:
        """Returns the conversation that was remembered last for the lane, or None."""
        known = self._known.get(lane)
        if known is None:
            return None
        try:
            return await self._keys.open(known)
        except SecretUnreadableError:  # wrapped by a master key that has been dropped since
            if self._known.get(lane) is known:  # another turn may have remembered or forgotten one meanwhile
                del self._known[lane]
            return None

    def remember(self, conversation: Conversation) -> None:
        """Remembers the current conversation of its lane; of too many, it forgets the one that was remembered first."""
        self._known[conversation.lane] = conversation
        self._known.move_to_end(conversation.lane)
        if len(self._known) > MAX_KNOWN:
            self._known.popitem(last=False)
