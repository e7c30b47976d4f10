"""The content of stored messages: the text form that is encrypted, and the estimated number of its tokens."""

from collections.abc import Sequence

import msgspec

from polyant.domain.chat import AssistantMessage, TextPart, UserMessage
from polyant.domain.conversations import MessageRole
from polyant.domain.errors import SecretUnreadableError
from polyant.domain.media.notes import with_markers
from polyant.domain.media.parts import StoredPart

_BYTES_PER_TOKEN = 4
_TOKENS_PER_MESSAGE = 4

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(tuple[TextPart | StoredPart, ...])
_contents_decoder = msgspec.json.Decoder(list[tuple[TextPart | StoredPart, ...]])


def encode_content(message: UserMessage | AssistantMessage) -> str:
    """Returns the parts of a message as JSON; markers replace media that aren't stored."""
    if isinstance(message, AssistantMessage):
        return _encoder.encode((TextPart(message.content),)).decode()
    return _encoder.encode(with_markers(message, keep_stored=True).parts).decode()


def identity_of(message: UserMessage | AssistantMessage) -> bytes:
    """Returns bytes that are equal for equal messages, media included."""
    return _encoder.encode(message)


def decode_content(text: str, role: MessageRole) -> UserMessage | AssistantMessage:
    """Returns the message with these parts.

    Raises:
        SecretUnreadableError: The text isn't the content of a message, although it was decrypted.
    """
    try:
        message = UserMessage(_decoder.decode(text))
    except (msgspec.DecodeError, UnicodeError):
        raise SecretUnreadableError from None
    return message if role is MessageRole.USER else AssistantMessage(message.text)


def decode_contents(texts: Sequence[str], roles: Sequence[MessageRole]) -> list[UserMessage | AssistantMessage]:
    """Returns the messages with these parts, as `decode_content` does for each of them.

    Raises:
        SecretUnreadableError: A text isn't the content of a message, although it was decrypted.
    """
    try:
        contents = _contents_decoder.decode(f"[{','.join(texts)}]")
    except (msgspec.DecodeError, UnicodeError):
        raise SecretUnreadableError from None
    if len(contents) != len(texts):
        raise SecretUnreadableError
    return [
        UserMessage(parts) if role is MessageRole.USER else AssistantMessage(_text_of(parts))
        for parts, role in zip(contents, roles, strict=True)
    ]


def _text_of(parts: tuple[TextPart | StoredPart, ...]) -> str:
    if len(parts) == 1 and isinstance(parts[0], TextPart):  # most messages
        return parts[0].text
    return UserMessage(parts).text


def estimate_tokens(text: str) -> int:
    """Returns about how many tokens a text has for a model: a token has about four bytes of UTF-8 in most languages."""
    return len(text.encode("utf-8", "surrogatepass")) // _BYTES_PER_TOKEN + _TOKENS_PER_MESSAGE
