"""Use case: write all data of the store to an encrypted backup."""

from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing

import msgspec

from polyant.domain.audit import AuditEntry
from polyant.domain.backup_format import encode_backup, summary_of
from polyant.domain.backup_records import (
    AuditRecord,
    BackupRecord,
    ChannelRecord,
    ConversationRecord,
    DataKeyRecord,
    InstanceRecord,
    MediaRecord,
    SkillFileRecord,
    UserRecord,
    record_of,
)
from polyant.domain.backups import BackupSummary, EmptyStoreError, StoredItem
from polyant.domain.channels import ChannelConnection
from polyant.domain.conversation_backup import ConversationBackup, message_record
from polyant.domain.conversations import StoredConversation, StoredMessage, WrappedKey
from polyant.domain.errors import SecretUnreadableError, UnavailableError
from polyant.domain.instances import Instance
from polyant.domain.ports.archive import Archive
from polyant.domain.ports.backup_cipher import BackupCipher
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.media_store import MediaStore
from polyant.domain.ports.secret_cipher import SecretCipher
from polyant.domain.secrets import SecretName, SecretText
from polyant.domain.skill_files import StoredSkillFile
from polyant.domain.users import User

_MAX_NAMED = 10


class UnreadableSecretsError(UnavailableError):
    """Some secrets can't be decrypted, so a backup would lose them.

    Args:
        places: The secrets, each as `slug/name`.
    """

    def __init__(self, places: list[str]) -> None:
        shown = ", ".join(places[:_MAX_NAMED]) + (", …" if places[_MAX_NAMED:] else "")
        super().__init__(
            f"No configured master key decrypts {len(places)} of the stored secrets: {shown}",
            hint="Provide the key that encrypted them, or set or delete them (polyant secrets set, polyant secrets "
            "delete), then back up again",
        )


class BackUp:
    """Writes instances with their secrets, files of skills, conversations with media, users and the audit trail.

    Everything is encrypted with a passphrase.
    """

    def __init__(
        self,
        *,
        archive: Archive,
        media: MediaStore,
        cipher: SecretCipher,
        backup_cipher: BackupCipher,
        clock: Clock,
    ) -> None:
        self._archive = archive
        self._media = media
        self._cipher = cipher
        self._conversations = ConversationBackup(cipher=cipher)
        self._backup_cipher = backup_cipher
        self._clock = clock

    async def __call__(self, write: Callable[[bytes], object], passphrase: SecretText) -> BackupSummary:
        """Returns the summary of a complete backup; after an error, the written bytes are not a backup.

        Args:
            write: Called with each piece of the backup, in order.
            passphrase: Encrypts the backup.

        Raises:
            UnreadableSecretsError: A secret can't be decrypted.
            EmptyStoreError: The store contains nothing.
        """
        created_at, counts, unreadable = self._clock.now(), Counter[str](), list[str]()
        async with self._archive.snapshot() as items:
            content = encode_backup(self._records(items, unreadable), created_at=created_at, counts=counts)
            async for piece in self._backup_cipher.encrypt(content, passphrase):
                write(piece)
        if unreadable:
            raise UnreadableSecretsError(unreadable)
        if not counts.total():
            raise EmptyStoreError
        return summary_of(counts, created_at=created_at)

    async def _records(self, items: AsyncIterator[StoredItem], unreadable: list[str]) -> AsyncIterator[BackupRecord]:
        """Yields a record for each item, except for those with unreadable secrets, whose names it adds to the list."""
        async for item in items:
            record = await self._record(item, unreadable)
            if record is not None:
                yield record
        async with aclosing(self._media.export()) as media:
            async for each in media:
                yield MediaRecord(**msgspec.structs.asdict(each))

    async def _record(self, item: StoredItem, unreadable: list[str]) -> BackupRecord | None:  # noqa: PLR0911 - one for each kind
        match item:
            case Instance():
                return await self._instance_record(item, unreadable)
            case ChannelConnection():
                return ChannelRecord(**{name: getattr(item, name) for name in ChannelRecord.__struct_fields__})
            case StoredSkillFile():
                return SkillFileRecord(**msgspec.structs.asdict(item))
            case WrappedKey() | StoredConversation():
                return await self._key_record(item, unreadable)
            case StoredMessage():
                return message_record(item)
            case User():
                return UserRecord(**msgspec.structs.asdict(item))
            case AuditEntry():
                return AuditRecord(**msgspec.structs.asdict(item))

    async def _key_record(
        self, item: WrappedKey | StoredConversation, unreadable: list[str]
    ) -> DataKeyRecord | ConversationRecord | None:
        try:
            if isinstance(item, WrappedKey):
                return await self._conversations.key_record(item)
            return await self._conversations.conversation_record(item)
        except SecretUnreadableError:
            name = item.id if isinstance(item, WrappedKey) else item.conversation.id
            unreadable.append(f"the data key of {name}")
            return None

    async def _instance_record(self, instance: Instance, unreadable: list[str]) -> InstanceRecord | None:
        secrets: dict[SecretName, SecretText] = {}
        for stored in instance.secrets.values():
            try:
                secrets[stored.name] = await self._cipher.open(stored.sealed, instance.address_of(stored))
            except SecretUnreadableError:
                unreadable.append(f"{instance.slug}/{stored.name}")
        return record_of(instance, secrets) if len(secrets) == len(instance.secrets) else None
