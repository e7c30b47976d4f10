"""What every vendor needs of a conversation before it takes it."""

import msgspec

from polyant.adapters.llm.answer import is_object
from polyant.domain.chat import ModelMessage, UserMessage

NOTHING_SAID = UserMessage.of("(The user has said nothing.)")
"""Stands where a vendor wants a user message and the conversation has none; vendors refuse empty text."""


def with_user_message(messages: tuple[ModelMessage, ...]) -> tuple[ModelMessage, ...]:
    """Returns the messages, with one of the user's at the end if there was none."""
    if any(isinstance(message, UserMessage) for message in messages):
        return messages
    return (*messages, NOTHING_SAID)


def arguments_object(arguments: str) -> str:
    """Returns a past call's arguments as a JSON object, which vendors parse them as.

    What the model wrote instead of an object is kept in one, so that it sees its mistake.
    """
    return arguments if is_object(arguments) else msgspec.json.encode({"not_an_object": arguments}).decode()
