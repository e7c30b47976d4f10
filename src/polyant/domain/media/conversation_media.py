"""The media of stored conversations: encrypted when they are stored, and decrypted for the turns that need them."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime

from polyant.domain.chat import AssistantMessage, UserMessage, UserPart, any_has_media
from polyant.domain.conversations import ConversationId, MessageId
from polyant.domain.data_keys import DataAddress
from polyant.domain.media.image_intake import ImageIntake
from polyant.domain.media.notes import newest_only, without_stored
from polyant.domain.media.parts import AudioPart, DocumentPart, ImagePart, MediaKind, MediaPart, StoredPart, kind_of
from polyant.domain.media.sizes import MediaMemory, TurnMediaMemory
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

    def account(self) -> AbstractContextManager[TurnMediaMemory]:
        """Opens the account of the media that a turn holds before its Supervisor runs; leaving frees their bytes."""
        return self._memory.turn()

    async def checked(self, messages: Sequence[UserMessage], memory: TurnMediaMemory) -> tuple[UserMessage, ...]:
        """Returns the messages with checked images; markers replace all but the newest.

        Args:
            messages: The new messages of a turn.
            memory: The turn's account.

        Raises:
            InvalidInputError: An image can't be fetched or used.
            ServerBusyError: The running turns hold too many bytes.
        """
        if not any_has_media(messages):
            return tuple(messages)
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
        self,
        opened: OpenConversation,
        messages: Sequence[UserMessage | AssistantMessage],
        memory: TurnMediaMemory,
    ) -> tuple[UserMessage | AssistantMessage, ...]:
        """Returns the messages with the content of the newest media; markers replace the others.

        Media that a turn can't hold in addition to the newer ones are left out as well: no conversation gets stuck.

        Args:
            opened: The conversation.
            messages: Its messages that go to the model.
            memory: The turn's account.

        Raises:
            ServerBusyError: The running turns hold too many bytes.
            StorageUnavailableError: The media can't be read.
            SecretUnreadableError: An item can't be decrypted.
        """
        if not any_has_media(messages):
            return tuple(messages)
        recalled = [
            await self._recalled(opened, message, memory) if isinstance(message, UserMessage) else message
            for message in reversed(newest_only(messages))
        ]
        return tuple(reversed(recalled))

    async def forget(self, conversation: ConversationId, messages: Sequence[UserMessage]) -> None:
        """Deletes the media of a conversation that was deleted while the media of these messages were stored.

        Raises:
            StorageUnavailableError: The media can't be deleted; they are unreadable, and expire.
        """
        if any_has_media(messages):
            await self._store.delete(conversations=[conversation])

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

    async def _recalled(self, opened: OpenConversation, message: UserMessage, memory: TurnMediaMemory) -> UserMessage:
        parts = [
            await self._content_of(opened, part, memory) if isinstance(part, StoredPart) else part
            for part in reversed(message.parts)
        ]
        return without_stored(UserMessage(tuple(reversed(parts))))

    async def _content_of(self, opened: OpenConversation, part: StoredPart, memory: TurnMediaMemory) -> UserPart:
        """Returns the part with its content, or the part itself if it can't be had."""
        if not memory.has_room_for(part.size):
            return part
        memory.take(part.size)
        try:
            return _part_of(part, await self.read(opened, MediaAddress(part.address)))
        except UnknownMediaError:
            return part


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
