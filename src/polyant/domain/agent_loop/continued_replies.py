"""Replies that the provider interrupted and continued: one message for a Supervisor, several for the provider."""

from collections.abc import Sequence
from itertools import chain

import msgspec

from polyant.domain.chat import AssistantMessage, ModelMessage


class ContinuedReplies:
    """Remembers the messages that each reply consists of, because their opaque state must be sent back."""

    def __init__(self) -> None:
        self._parts: tuple[tuple[AssistantMessage, tuple[AssistantMessage, ...]], ...] = ()

    def joined(self, parts: Sequence[AssistantMessage]) -> AssistantMessage:
        """Returns the messages as one reply, with the text of all and the calls of the last."""
        if len(parts) == 1:
            return parts[0]
        reply = msgspec.structs.replace(parts[-1], content="".join(part.content for part in parts))
        self._parts += ((reply, tuple(parts)),)
        return reply

    def as_received(self, messages: Sequence[ModelMessage]) -> tuple[ModelMessage, ...]:
        """Returns a conversation with the messages that its replies consist of."""
        return tuple(chain.from_iterable(map(self._parts_of, messages))) if self._parts else tuple(messages)

    def _parts_of(self, message: ModelMessage) -> tuple[ModelMessage, ...]:
        return next((parts for reply, parts in self._parts if reply == message), (message,))
