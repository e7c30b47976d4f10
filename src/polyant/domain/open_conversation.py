"""Conversations with their data key: the only place where stored messages are encrypted and decrypted."""

from collections.abc import Sequence
from datetime import datetime

from polyant.domain.chat import AssistantMessage, TextPart, UserMessage
from polyant.domain.conversations import (
    Conversation,
    ConversationId,
    Message,
    MessageId,
    MessageRole,
    StoredText,
    TurnId,
)
from polyant.domain.data_keys import DataAddress
from polyant.domain.history_window import HistoryBudget, window_start
from polyant.domain.lanes import Lane
from polyant.domain.message_content import decode_content, decode_contents, encode_content, estimate_tokens, identity_of
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.data_cipher import DataCipher, DataKey
from polyant.domain.ports.token_source import TokenSource

_LABEL = "label"


class OpenConversation:
    """A conversation that can be read and continued; keep it for one turn at most, because it holds the data key.

    Args:
        conversation: The conversation as stored.
        key: Its data key.
    """

    __slots__ = ("conversation", "key")

    def __init__(self, conversation: Conversation, key: DataKey) -> None:
        self.conversation = conversation
        self.key = key

    @property
    def id(self) -> ConversationId:
        """The id of the conversation."""
        return self.conversation.id

    @property
    def label(self) -> str | None:
        """The user's id or name.

        Raises:
            SecretUnreadableError: It can't be decrypted.
        """
        stored = self.conversation.label
        return None if stored is None else self.key.decrypt_text(stored, _label_address(self.id))

    def content_of(self, message: Message | StoredText) -> UserMessage | AssistantMessage:
        """Returns the content of a stored message.

        Raises:
            SecretUnreadableError: It can't be decrypted.
        """
        return decode_content(
            self.key.decrypt_text(message.text, self._address(message.id, message.role)), message.role
        )

    def history(
        self, messages: Sequence[StoredText], *, budget: HistoryBudget
    ) -> tuple[UserMessage | AssistantMessage, ...]:
        """Returns the content of the messages that go to the model, beginning with a user's.

        Args:
            messages: The newest answered messages, oldest first: `budget.messages` of them, or all.
            budget: The most that the model gets.

        Raises:
            SecretUnreadableError: A message can't be decrypted.
        """
        sizes = [each.tokens for each in messages]
        total = max(len(messages), self.conversation.messages - self.conversation.unanswered)
        start = window_start(sizes, total=total, budget=budget)
        conversation, sent = self.id, messages[start:]
        texts = self.key.decrypt_texts([(each.text, DataAddress(conversation, each.id, each.role)) for each in sent])
        return _without_gaps(decode_contents(texts, [each.role for each in sent]))

    def stored(
        self,
        content: UserMessage | AssistantMessage,
        *,
        message_id: MessageId,
        turn: TurnId,
        at: datetime,
        answered: bool = True,
        tools: tuple[str, ...] = (),
        platform_id: str | None = None,
        sender: str | None = None,
    ) -> Message:
        """Returns the message to store, encrypted.

        Args:
            content: The content.
            message_id: The id of the message, which the ciphertext is bound to.
            turn: The turn that answers the message, or that produced it.
            at: The time of the message.
            answered: Whether its turn has finished.
            tools: The names of the tools that the turn called.
            platform_id: The id of the message on the channel's platform.
            sender: A keyed hash of the channel user.
        """
        role = MessageRole.USER if isinstance(content, UserMessage) else MessageRole.ASSISTANT
        text = encode_content(content)
        return Message(
            id=message_id,
            role=role,
            text=self.key.encrypt_text(text, self._address(message_id, role)),
            at=at,
            turn=turn,
            tokens=estimate_tokens(content.text if isinstance(content, UserMessage) else content.content),
            answered=answered,
            digest=self.key.fingerprint(identity_of(content)),
            tools=tools,
            platform_id=platform_id,
            sender=sender,
        )

    def _address(self, message_id: MessageId, role: MessageRole) -> DataAddress:
        return DataAddress(self.id, message_id, role)


class ConversationKeys:
    """Unwraps the data keys of conversations, and creates new ones.

    Args:
        data_cipher: Creates, wraps and unwraps data keys.
        tokens: Generates the ids of conversations.
        clock: Determines when a conversation was created.
    """

    def __init__(self, *, data_cipher: DataCipher, tokens: TokenSource, clock: Clock) -> None:
        self._cipher = data_cipher
        self._tokens = tokens
        self._clock = clock

    async def open(self, conversation: Conversation) -> OpenConversation:
        """Returns the conversation with its data key.

        Raises:
            SecretUnreadableError: The key can't be unwrapped.
        """
        return OpenConversation(conversation, await self._cipher.unwrap_key(conversation.data_key, conversation.id))

    async def draft(self, lane: Lane, *, label: str | None = None) -> OpenConversation:
        """Returns a new conversation of a lane, which isn't stored yet.

        Args:
            lane: The lane.
            label: The user's id or name, which is stored encrypted.
        """
        conversation_id, now = ConversationId(self._tokens.turn_id()), self._clock.now()
        key, wrapped = await self._cipher.create_key(conversation_id)
        conversation = Conversation(
            id=conversation_id,
            instance=lane.instance,
            lane=lane.id,
            channel=lane.channel,
            data_key=wrapped,
            wrapped_by=await self._cipher.key_id_of(wrapped),
            user=lane.user,
            label=None if label is None else key.encrypt_text(label, _label_address(conversation_id)),
            created_at=now,
            updated_at=now,
        )
        return OpenConversation(conversation, key)


def _label_address(conversation: ConversationId) -> DataAddress:
    return DataAddress(conversation, _LABEL, _LABEL)


def _without_gaps(
    messages: Sequence[UserMessage | AssistantMessage],
) -> tuple[UserMessage | AssistantMessage, ...]:
    """Returns the messages without answers at the beginning and empty ones, and with no two user messages in a row.

    Some providers refuse a conversation that begins with an answer, or that has two user messages in a row.
    """
    kept: list[UserMessage | AssistantMessage] = []
    for message in messages:
        last = kept[-1] if kept else None
        if isinstance(message, AssistantMessage):
            if last is not None and message.content.strip():
                kept.append(message)
        elif isinstance(last, UserMessage):
            kept[-1] = UserMessage((*last.parts, TextPart("\n\n"), *message.parts))
        else:
            kept.append(message)
    return tuple(kept)
