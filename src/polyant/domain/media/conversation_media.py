"""The media of stored conversations: encrypted when they are stored, and decrypted for the turns that need them."""

from collections.abc import Sequence
from datetime import datetime

from polyant.domain.chat import AssistantMessage, UserMessage, UserPart, any_has_media
from polyant.domain.conversations import MessageId
from polyant.domain.data_keys import DataAddress
from polyant.domain.media.image_intake import ImageIntake
from polyant.domain.media.notes import newest_only, with_markers
from polyant.domain.media.parts import AudioPart, DocumentPart, ImagePart, MediaKind, MediaPart, StoredPart, kind_of
from polyant.domain.media.sizes import MediaMemory
from polyant.domain.media.stored import MediaAddress, StoredMedia, UnknownMediaError
from polyant.domain.open_conversation import OpenConversation
from polyant.domain.ports.media_store import MediaStore

_ROLE = "media"


class ConversationMedia:
    """Keeps the media of conversations.

    Args:
        store: Stores the ciphertexts.
        intake: Checks images.
        memory: Counts the bytes that turns hold.
    """

    def __init__(self, *, store: MediaStore, intake: ImageIntake, memory: MediaMemory) -> None:
        self._store = store
        self._intake = intake
        self._memory = memory

    async def checked(self, messages: Sequence[UserMessage]) -> tuple[UserMessage, ...]:
        """Returns the messages with checked images; markers replace all but the newest.

        Raises:
            InvalidInputError: An image can't be fetched or used.
            ServerBusyError: The running turns hold too many bytes.
        """
        if not any_has_media(messages):
            return tuple(messages)
        with self._memory.turn() as memory:
            return tuple([await self._intake.checked(message, memory) for message in newest_only(messages)])

    async def keep(
        self, opened: OpenConversation, message: UserMessage, *, message_id: MessageId, at: datetime
    ) -> UserMessage:
        """Stores the media of a message, and returns the message with references to them.

        Args:
            opened: The conversation.
            message: The message, with checked images.
            message_id: The id of the message.
            at: The time of the message.

        Raises:
            StorageUnavailableError: The media can't be stored.
        """
        if not message.has_media:
            return message
        return UserMessage(tuple([await self._kept(opened, part, message_id, at) for part in message.parts]))

    async def recalled(
        self, opened: OpenConversation, messages: Sequence[UserMessage | AssistantMessage]
    ) -> tuple[UserMessage | AssistantMessage, ...]:
        """Returns the messages with the content of the newest media; markers replace the others.

        Raises:
            StorageUnavailableError: The media can't be read.
            SecretUnreadableError: An item can't be decrypted.
        """
        if not any_has_media(messages):
            return tuple(messages)
        return tuple(
            [
                await self._recalled(opened, message) if isinstance(message, UserMessage) else message
                for message in newest_only(messages)
            ]
        )

    async def read(self, opened: OpenConversation, address: MediaAddress) -> bytes:
        """Returns the content of an item.

        Raises:
            UnknownMediaError: The conversation has no such item.
            StorageUnavailableError: The item can't be read.
            SecretUnreadableError: The item can't be decrypted.
        """
        item = await self._store.get(opened.id, address)
        return opened.key.decrypt(item.content, _data_address(item))

    async def _kept(self, opened: OpenConversation, part: UserPart, message_id: MessageId, at: datetime) -> UserPart:
        if not isinstance(part, ImagePart | AudioPart | DocumentPart):
            return part
        kind = kind_of(part)
        assert kind is not None  # noqa: S101 - these parts have a kind
        address = MediaAddress(opened.key.fingerprint(part.data))
        item = StoredMedia(conversation=opened.id, message=message_id, address=address, content=b"", at=at)
        content = opened.key.encrypt(part.data, _data_address(item))
        await self._store.put(
            StoredMedia(conversation=opened.id, message=message_id, address=address, content=content, at=at)
        )
        return StoredPart(
            kind=kind,
            address=address,
            media_type=part.media_type,
            size=len(part.data),
            name=part.name if isinstance(part, DocumentPart) else "",
            detail=part.detail if isinstance(part, ImagePart) else None,
        )

    async def _recalled(self, opened: OpenConversation, message: UserMessage) -> UserMessage:
        try:
            parts = [
                _part_of(part, await self.read(opened, MediaAddress(part.address)))
                if isinstance(part, StoredPart)
                else part
                for part in message.parts
            ]
        except UnknownMediaError:
            return with_markers(message)
        return UserMessage(tuple(parts))


def _data_address(item: StoredMedia) -> DataAddress:
    return DataAddress(item.conversation, f"{item.message}/{item.address}", _ROLE)


def _part_of(part: StoredPart, data: bytes) -> MediaPart:
    match part.kind:
        case MediaKind.IMAGE:
            return ImagePart(media_type=part.media_type, data=data, detail=part.detail)
        case MediaKind.AUDIO:
            return AudioPart(media_type=part.media_type, data=data)
        case MediaKind.DOCUMENT:
            return DocumentPart(media_type=part.media_type, data=data, name=part.name)
