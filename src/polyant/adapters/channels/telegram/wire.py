"""The parts of the Bot API that are used, with its own names: https://core.telegram.org/bots/api."""

from collections.abc import Mapping
from typing import Any

import msgspec


class User(msgspec.Struct, frozen=True):
    """A user or a bot."""

    id: int
    is_bot: bool = False
    first_name: str = ""
    last_name: str = ""
    username: str | None = None
    language_code: str | None = None


class Chat(msgspec.Struct, frozen=True):
    """A chat."""

    id: int
    type: str
    title: str | None = None


class Entity(msgspec.Struct, frozen=True):
    """A special part of a text; offset and length count UTF-16 units."""

    type: str
    offset: int
    length: int
    user: User | None = None


class File(msgspec.Struct, frozen=True):
    """A photo size, a voice note, an audio file, a document, a video or a sticker."""

    file_id: str
    file_size: int | None = None
    file_name: str | None = None
    mime_type: str | None = None
    emoji: str | None = None


class TextQuote(msgspec.Struct, frozen=True):
    """The quoted part of the message that is replied to."""

    text: str


class Origin(msgspec.Struct, frozen=True):
    """The origin of a forwarded message."""

    sender_user: User | None = None
    sender_user_name: str | None = None
    sender_chat: Chat | None = None
    chat: Chat | None = None

    @property
    def name(self) -> str:
        """The display name of the author; empty if unknown."""
        if self.sender_user is not None:
            return name_of(self.sender_user)
        chat = self.sender_chat or self.chat
        return self.sender_user_name or (chat.title if chat is not None else None) or ""


class Message(msgspec.Struct, frozen=True):
    """A message."""

    message_id: int
    chat: Chat
    sender: User | None = msgspec.field(default=None, name="from")
    message_thread_id: int | None = None
    is_topic_message: bool = False
    text: str | None = None
    entities: tuple[Entity, ...] = ()
    caption: str | None = None
    caption_entities: tuple[Entity, ...] = ()
    media_group_id: str | None = None
    reply_to_message: "Message | None" = None
    quote: TextQuote | None = None
    forward_origin: Origin | None = None
    photo: tuple[File, ...] = ()
    voice: File | None = None
    audio: File | None = None
    document: File | None = None
    animation: File | None = None
    video: File | None = None
    video_note: File | None = None
    sticker: File | None = None
    contact: Any = None
    location: Any = None
    poll: Any = None
    migrate_to_chat_id: int | None = None


class Update(msgspec.Struct, frozen=True):
    """An event; unknown kinds have neither message."""

    update_id: int
    message: Message | None = None
    edited_message: Message | None = None


class AnyUpdate(msgspec.Struct, frozen=True):
    """The field that all updates have."""

    update_id: int


class Parameters(msgspec.Struct, frozen=True):
    """Facts about a failed call."""

    migrate_to_chat_id: int | None = None
    retry_after: int | None = None


class Result(msgspec.Struct, frozen=True):
    """The response to every call."""

    ok: bool
    result: msgspec.Raw = msgspec.Raw(b"null")
    error_code: int = 0
    description: str = ""
    parameters: Parameters = Parameters()


class SentMessage(msgspec.Struct, frozen=True):
    """The result of sending a message."""

    message_id: int


class FileInfo(msgspec.Struct, frozen=True):
    """The result of getFile."""

    file_path: str | None = None
    file_size: int | None = None


class WebhookInfo(msgspec.Struct, frozen=True):
    """The result of getWebhookInfo."""

    url: str = ""
    pending_update_count: int = 0
    last_error_date: int | None = None
    last_error_message: str | None = None


Arguments = Mapping[str, Any]
"""The arguments of a call."""


def name_of(user: User) -> str:
    """Returns the display name of a user."""
    return f"{user.first_name} {user.last_name}".strip()
