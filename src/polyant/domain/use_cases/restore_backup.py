"""Use case: store all data of a backup in an empty store."""

from collections import Counter
from collections.abc import AsyncIterator
from typing import assert_never

import msgspec

from polyant.domain.audit import Actor, AuditEntry, Change
from polyant.domain.backup_format import BackupHead, decode_backup
from polyant.domain.backup_records import (
    ArchivedRecord,
    AuditRecord,
    BackupRecord,
    ChannelRecord,
    ConversationRecord,
    DataKeyRecord,
    InstanceRecord,
    MediaRecord,
    MessageRecord,
    SecretPart,
    SkillFileRecord,
    UserRecord,
    instance_of,
    value_of,
)
from polyant.domain.backups import StoredItem, VerifiedBackup
from polyant.domain.channels import ChannelConnection, ConnectionState
from polyant.domain.conversation_backup import ConversationBackup, stored_message
from polyant.domain.instances import Instance
from polyant.domain.media.stored import StoredMedia
from polyant.domain.ports.archive import Archive
from polyant.domain.ports.backup_cipher import BackupCipher
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.media_store import MediaStore
from polyant.domain.ports.secret_cipher import SecretCipher
from polyant.domain.secrets import SealedSecret
from polyant.domain.skill_files import StoredSkillFile
from polyant.domain.use_cases.set_secret import seal
from polyant.domain.users import User


class RestoreBackup:
    """Stores the items of a backup as they were, except that channel connections are paused.

    Otherwise, this server and the one that was backed up would both answer. Secrets are encrypted with this store's
    master key.
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

    async def __call__(self, backup: VerifiedBackup, *, by: Actor) -> None:
        """Stores everything in one transaction, and an audit entry about it.

        Media are stored before the transaction, because they may be in another store. If the restore fails, it can be
        repeated; otherwise the media expire.

        Raises:
            StoreNotEmptyError: The store contains more than its initial data; nothing changes.
            UnusableBackupError: The source has changed since it was verified; nothing changes.
        """
        audit = Change(by, "backup.restore").entry(self._clock.now())
        await self._archive.check_empty()
        async for part in self._parts(backup):
            if isinstance(part, MediaRecord):
                await self._media.put(StoredMedia(**msgspec.structs.asdict(part)))
        await self._archive.restore(self._items(backup), audit=audit)

    def _parts(self, backup: VerifiedBackup) -> AsyncIterator[BackupHead | BackupRecord]:
        content = self._backup_cipher.decrypt(backup.source(), backup.passphrase)
        return decode_backup(content, counts=Counter())

    async def _items(self, backup: VerifiedBackup) -> AsyncIterator[StoredItem]:
        async for part in self._parts(backup):
            if not isinstance(part, BackupHead | MediaRecord):
                yield await self._item(part)

    async def _item(self, part: ArchivedRecord) -> StoredItem:  # noqa: PLR0911 - one for each kind
        match part:
            case InstanceRecord():
                return await self._instance(part)
            case ChannelRecord():
                return _paused(part)
            case SkillFileRecord():
                return StoredSkillFile(**msgspec.structs.asdict(part))
            case DataKeyRecord():
                return await self._conversations.key(part)
            case ConversationRecord():
                return await self._conversations.conversation(part)
            case MessageRecord():
                return stored_message(part)
            case UserRecord():
                return User(**msgspec.structs.asdict(part))
            case AuditRecord():
                return AuditEntry(**msgspec.structs.asdict(part))
            case _:
                assert_never(part)

    async def _instance(self, record: InstanceRecord) -> Instance:
        instance = instance_of(record)
        secrets = {secret.name: await self._encrypted(instance, secret) for secret in record.secrets}
        return msgspec.structs.replace(instance, secrets=secrets)

    async def _encrypted(self, instance: Instance, secret: SecretPart) -> SealedSecret:
        """Returns the secret as it is stored; an API key for callers gets a fingerprint of the current master key."""
        return await seal(
            self._cipher,
            instance,
            secret.name,
            value_of(secret),
            now=secret.updated_at,
            origin=secret.origin,
            expires_at=secret.expires_at,
        )


def _paused(record: ChannelRecord) -> ChannelConnection:
    connection = ChannelConnection(**msgspec.structs.asdict(record))
    if not connection.has_account:
        return connection
    return msgspec.structs.replace(connection, state=ConnectionState.PAUSED)
