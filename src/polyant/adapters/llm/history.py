"""Adjusts a conversation to the requirements that all providers share."""

import msgspec

from polyant.adapters.llm.response_reader import is_object
from polyant.domain.chat import ModelMessage, UserMessage

EMPTY_USER_MESSAGE = UserMessage.of("(The user has said nothing.)")
"""The placeholder for a required but missing user message; providers reject empty text."""


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
