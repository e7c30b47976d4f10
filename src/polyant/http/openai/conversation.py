"""Converts the messages of a request to the caller's instructions and a conversation."""

from collections.abc import Sequence
from typing import get_args

import msgspec

from polyant.domain.chat import AssistantMessage, TextPart, UserMessage, UserPart
from polyant.domain.errors import InvalidInputError
from polyant.domain.media.image_input import image_fault
from polyant.domain.media.parts import ImageDetail, ImageLink
from polyant.http.openai.wire import ContentPart, MessageIn

APPLICATION_HEADING = "[Message from the calling application]"
"""The beginning of a system message that keeps its place in the conversation as a user message."""

_INSTRUCTING_ROLES = ("system", "developer")
_ROLES = (*_INSTRUCTING_ROLES, "user", "assistant")
_SERVER_ROLES = ("tool", "function")
_MAX_SHOWN_CHARACTERS = 64


class Conversation(msgspec.Struct, frozen=True):
    """A request's messages, as the domain has them."""

    instructions: tuple[str, ...]
    """The system messages that stand before the first user or assistant message."""
    messages: tuple[UserMessage | AssistantMessage, ...]


def conversation_of(messages: Sequence[MessageIn]) -> Conversation:
    """Returns the conversation.

    System messages after the first user or assistant message become user messages in their place. Assistant messages
    without text are left out. User messages that become neighbours by either are joined by a blank line, because some
    servers refuse two in a row; all other messages stay as they are.

    Raises:
        InvalidInputError: The role or the content of a message isn't accepted.
    """
    contents = [parts_of(message, f"$.messages[{index}]") for index, message in enumerate(messages)]
    begin = next((at for at, message in enumerate(messages) if message.role not in _INSTRUCTING_ROLES), len(messages))
    builder = _Builder()
    for message, parts in zip(messages[begin:], contents[begin:], strict=True):
        builder.add(message.role, parts)
    return Conversation(tuple(UserMessage(parts).text for parts in contents[:begin]), builder.finish())


class _Builder:
    """Collects the messages after the caller's instructions.

    User messages that are to be joined wait until the last of them is known: joining each one to those before it would
    take time that grows with the square of their number.
    """

    def __init__(self) -> None:
        self._messages: list[UserMessage | AssistantMessage] = []
        self._neighbours: list[UserMessage] = []
        """The messages to join, at least two; usually there are none."""
        self._joins = False
        """Whether a message between the last one and the next has been converted or left out."""

    def add(self, role: str, parts: tuple[UserPart, ...]) -> None:
        if role == "user" and not self._joins:
            self._append(UserMessage(parts))
        elif role == "user":
            self._join(UserMessage(parts))
            self._joins = False
        elif (text := UserMessage(parts).text).strip() and role == "assistant":
            self._append(AssistantMessage(text))
            self._joins = False
        else:
            self._joins = True
            if text.strip():
                self._join(UserMessage.of(f"{APPLICATION_HEADING}\n\n{text}"))

    def finish(self) -> tuple[UserMessage | AssistantMessage, ...]:
        """Returns all messages."""
        self._end_joining()
        return tuple(self._messages)

    def _append(self, message: UserMessage | AssistantMessage) -> None:
        if self._neighbours:
            self._end_joining()
        self._messages.append(message)

    def _join(self, message: UserMessage) -> None:
        """Adds a message that belongs to the one before it, if that is a user message too."""
        if not self._neighbours and self._messages and isinstance(last := self._messages[-1], UserMessage):
            self._messages.pop()
            self._neighbours.append(last)
        if self._neighbours:
            self._neighbours.append(message)
        else:
            self._messages.append(message)

    def _end_joining(self) -> None:
        if self._neighbours:
            self._messages.append(_joined(self._neighbours))
            self._neighbours = []


def _joined(messages: list[UserMessage]) -> UserMessage:
    """Returns one message with the content of all, separated by blank lines."""
    if len(messages) == 1:
        return messages[0]
    first_media = next((at for at, message in enumerate(messages) if message.has_media), len(messages))
    if first_media == len(messages):
        return UserMessage.of("\n\n".join(filter(str.strip, (message.text for message in messages))))
    if first_media:
        messages = [_joined(messages[:first_media]), *messages[first_media:]]
    parts: list[UserPart] = []
    has_text = False
    for message in messages:
        is_text = bool(message.text.strip())
        parts += (TextPart("\n\n"), *message.parts) if has_text and is_text else message.parts
        has_text = has_text or is_text
    return UserMessage(tuple(parts))


def parts_of(message: MessageIn, where: str) -> tuple[UserPart, ...]:
    """Returns the content of a message: its text and, in a user message, links to images.

    Args:
        message: The message.
        where: Its JSON path, for errors.

    Raises:
        InvalidInputError: The role or the content isn't accepted.
    """
    role, content = message.role, message.content
    if role not in _ROLES:
        raise InvalidInputError(_role_fault(role, f"{where}.role"))
    if content is None:
        if role != "assistant":
            raise InvalidInputError(f"Expected `str | array`, got `null` - at `{where}.content`")
        content = message.refusal or ""
    if isinstance(content, str):
        return (TextPart(without_nul(content, f"{where}.content")),)
    parts = [_part(part, role, f"{where}.content[{at}]") for at, part in enumerate(content)]
    if all(isinstance(part, TextPart) for part in parts):
        return (TextPart(without_nul(UserMessage(tuple(parts)).text, f"{where}.content")),)
    return tuple(parts)


def without_nul(text: str, where: str) -> str:
    """Returns the text.

    Raises:
        InvalidInputError: The text contains U+0000, which databases and providers refuse.
    """
    if "\0" in text:
        raise InvalidInputError(f"U+0000 is not allowed in text - at `{where}`")
    return text


def _part(part: ContentPart, role: str, where: str) -> UserPart:
    if part.type == "text":
        field, text = "text", part.text
    elif part.type == "refusal" and role == "assistant":
        field, text = "refusal", part.refusal
    elif part.type == "image_url" and role == "user":
        return _image_link(part.image_url, where)
    else:
        raise InvalidInputError(_part_fault(part.type, f"{where}.type"))
    if text is msgspec.UNSET:
        raise InvalidInputError(f"Object missing required field `{field}` - at `{where}`")
    if text is None:
        raise InvalidInputError(f"Expected `str`, got `null` - at `{where}.{field}`")
    return TextPart(without_nul(text, f"{where}.{field}"))


def _image_link(image: object, where: str) -> ImageLink:
    """Returns the link to an image; some clients send the URL alone. Whether it can be used is checked in the turn."""
    url, detail = (image.get("url"), image.get("detail")) if isinstance(image, dict) else (image, None)
    known: ImageDetail | None = detail if detail in get_args(ImageDetail) else None
    return ImageLink(url=url if isinstance(url, str) else "", detail=known, where=where)


def _part_fault(kind: str, where: str) -> str:
    if kind == "image_url":
        return image_fault(where)
    named = f"the type `{kind}`" if kind.isprintable() and len(kind) <= _MAX_SHOWN_CHARACTERS else "this type"
    return f"Content parts of {named} are not supported: only text is accepted - at `{where}`"


def _role_fault(role: str, where: str) -> str:
    if role in _SERVER_ROLES:
        return f"Messages of the role {role} are not accepted: tools run on the server - at `{where}`"
    *roles, last = _ROLES
    return f"Invalid role: expected {', '.join(roles)} or {last} - at `{where}`"
