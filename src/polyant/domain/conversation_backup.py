"""Conversations in backups: their data keys are in plaintext there, and their texts stay encrypted with these."""

import msgspec

from polyant.domain.backup_records import ConversationRecord, DataKeyRecord, MessageRecord
from polyant.domain.conversations import Conversation, KeyKind, Message, StoredConversation, StoredMessage, WrappedKey
from polyant.domain.data_keys import wrapping_address
from polyant.domain.ports.secret_cipher import SecretCipher
from polyant.domain.secrets import SecretText

_MESSAGE = tuple(Message.__struct_fields__)


class ConversationBackup:
    """Converts conversations to records with plaintext keys, and records to conversations.

    Args:
        cipher: Encrypts data keys with the master key of the store.
    """

    def __init__(self, *, cipher: SecretCipher) -> None:
        self._cipher = cipher

    async def key_record(self, key: WrappedKey) -> DataKeyRecord:
        """Returns the record of a data key.

        Raises:
            SecretUnreadableError: The key can't be unwrapped.
        """
        return DataKeyRecord(id=key.id, key=await self._plain(key.key, key.id))

    async def conversation_record(self, stored: StoredConversation) -> ConversationRecord:
        """Returns the record of a conversation; raises as `key_record`."""
        fields = msgspec.structs.asdict(stored.conversation)
        del fields["wrapped_by"]
        key = await self._plain(fields.pop("data_key"), stored.conversation.id)
        return ConversationRecord(**fields, key=key, is_current=stored.is_current)

    async def key(self, record: DataKeyRecord) -> WrappedKey:
        """Returns the data key of a record, wrapped with the current master key."""
        wrapped = await self._wrapped(record.key, record.id)
        return WrappedKey(
            kind=KeyKind.INGEST, id=record.id, key=wrapped, wrapped_by=await self._cipher.key_id_of(wrapped)
        )

    async def conversation(self, record: ConversationRecord) -> StoredConversation:
        """Returns the conversation of a record, with its data key wrapped with the current master key."""
        fields = msgspec.structs.asdict(record)
        is_current, wrapped = fields.pop("is_current"), await self._wrapped(fields.pop("key"), record.id)
        wrapped_by = await self._cipher.key_id_of(wrapped)
        conversation = Conversation(**fields, data_key=wrapped, wrapped_by=wrapped_by)
        return StoredConversation(conversation=conversation, is_current=is_current)

    async def _plain(self, wrapped: str, owner: str) -> bytes:
        return (await self._cipher.open(wrapped, wrapping_address(owner))).reveal().encode()

    async def _wrapped(self, key: bytes, owner: str) -> str:
        return await self._cipher.seal(SecretText(key.decode()), wrapping_address(owner))


def message_record(stored: StoredMessage) -> MessageRecord:
    """Returns the record of a message."""
    return MessageRecord(conversation=stored.conversation, **msgspec.structs.asdict(stored.message))


def stored_message(record: MessageRecord) -> StoredMessage:
    """Returns the message of a record."""
    message = Message(**{name: getattr(record, name) for name in _MESSAGE})
    return StoredMessage(conversation=record.conversation, message=message)
