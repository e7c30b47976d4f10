"""Adjusts a conversation to the requirements that all providers share."""

import msgspec

from polyant.adapters.llm.lenient_json import is_object
from polyant.domain.chat import AssistantMessage, ModelMessage, TextPart, UserMessage

EMPTY_USER_MESSAGE = UserMessage.of("(The user has said nothing.)")
"""The placeholder for a required but missing user message; providers reject empty text."""
_BLANK_LINE = TextPart("\n\n")


def without_empty_messages(messages: tuple[ModelMessage, ...]) -> tuple[ModelMessage, ...]:
    """Returns the messages without the assistant messages that have neither text nor a tool call.

    Some servers reject those, and others reject two user messages in a row: user messages that become neighbours are
    joined by a blank line.
    """
    if not any(map(_is_empty, messages)):
        return messages
    kept: list[ModelMessage] = []
    is_gap = False
    for message in messages:
        if _is_empty(message):
            is_gap = True
            continue
        last = kept[-1] if kept and is_gap else None
        if isinstance(last, UserMessage) and isinstance(message, UserMessage):
            kept[-1] = UserMessage((*last.parts, _BLANK_LINE, *message.parts))
        else:
            kept.append(message)
        is_gap = False
    return tuple(kept)


def _is_empty(message: ModelMessage) -> bool:
    return isinstance(message, AssistantMessage) and not message.tool_calls and not message.content.strip()


def with_user_message(messages: tuple[ModelMessage, ...]) -> tuple[ModelMessage, ...]:
    """Returns the messages, with a placeholder at the end if there is no user message."""
    if any(isinstance(message, UserMessage) for message in messages):
        return messages
    return (*messages, EMPTY_USER_MESSAGE)


def arguments_object(arguments: str) -> str:
    """Returns the arguments of an earlier tool call as a JSON object, which providers require.

    Invalid arguments are wrapped in an object, so that the model sees its mistake.
    """
    return arguments if is_object(arguments) else msgspec.json.encode({"not_an_object": arguments}).decode()
