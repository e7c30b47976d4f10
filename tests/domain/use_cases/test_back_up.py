"""The use cases that back up, verify and restore, from one store in memory to another with another master key."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import msgspec
import pytest

from polyant.adapters.crypto.backup_cipher import AesGcmBackupCipher
from polyant.adapters.crypto.secret_cipher import AesGcmSecretCipher
from polyant.adapters.memory.archive import MemoryArchive
from polyant.adapters.memory.channel_connections import MemoryChannelConnections
from polyant.adapters.memory.instance_repo import MemoryInstanceRepo
from polyant.adapters.memory.media_store import MemoryMediaStore
from polyant.adapters.memory.store import MemoryStore
from polyant.adapters.memory.user_repo import MemoryUserRepo
from polyant.domain.audit import CLI, AuditEntry
from polyant.domain.backups import (
    BackupSummary,
    DamagedBackupError,
    EmptyStoreError,
    StoreNotEmptyError,
    VerifiedBackup,
    WrongPassphraseError,
)
from polyant.domain.channel_content import ChannelContent, disconnected
from polyant.domain.channel_problems import ProblemKind
from polyant.domain.channels import ChannelAccess, ChannelName, ConnectionId, ConnectionState, Delivery
from polyant.domain.instances import Instance, InstanceQuery
from polyant.domain.secrets import AUTH_API_KEY, PREVIOUS_AUTH_API_KEY, SecretName, SecretText
from polyant.domain.use_cases.back_up import BackUp, UnreadableSecretsError
from polyant.domain.use_cases.restore_backup import RestoreBackup
from polyant.domain.use_cases.set_secret import seal, with_secret
from polyant.domain.use_cases.verify_backup import VerifyBackup
from polyant.testing.archive import items_of
from polyant.testing.audit_log import entry_of
from polyant.testing.channel_connection_factory import connection_of
from polyant.testing.factories import InstanceFactory, UserFactory
from polyant.testing.manual_clock import ManualClock

OLD, NEW, OTHER = (SecretText(digit * 64) for digit in "abc")
PASSPHRASE = SecretText("correct horse battery")
ORIGIN = "https://api.openai.com:443"
EXPIRES = datetime(2027, 1, 1, tzinfo=UTC)
OPENAI_KEY = SecretName("openai_api_key")


class Place:
    """A store in memory with its master keys."""

    def __init__(self, *keys: SecretText) -> None:
        self.memory = MemoryStore()
        self.archive = MemoryArchive(memory=self.memory)
        self.media = MemoryMediaStore()
        self.instances = MemoryInstanceRepo(memory=self.memory)
        self.users = MemoryUserRepo(memory=self.memory)
        self.cipher = AesGcmSecretCipher(master_keys=keys)
        self.clock = ManualClock(datetime(2026, 11, 26, tzinfo=UTC))
        self.data = bytearray()

    async def add(self, *, key: SecretText = OLD) -> Instance:
        """Stores an instance with three secrets, which are encrypted with the key."""
        cipher = AesGcmSecretCipher(master_keys=[key])
        instance = InstanceFactory.build(secrets={})
        for name, origin, expires_at in (
            (AUTH_API_KEY, None, None),
            (PREVIOUS_AUTH_API_KEY, None, EXPIRES),
            (OPENAI_KEY, ORIGIN, None),
        ):
            value = SecretText(f"sk-{name}-of-{instance.id}")
            secret = await seal(
                cipher, instance, name, value, now=instance.updated_at, origin=origin, expires_at=expires_at
            )
            instance = with_secret(instance, secret)
        return await self.instances.add(instance, audit=entry_of(instance=instance.slug))

    async def back_up(self) -> BackupSummary:
        back_up = BackUp(
            archive=self.archive,
            media=self.media,
            cipher=self.cipher,
            backup_cipher=AesGcmBackupCipher(memory_kib=8, iterations=1),
            clock=self.clock,
        )
        self.data.clear()
        return await back_up(self.data.extend, PASSPHRASE)

    async def verify(self, *, passphrase: SecretText = PASSPHRASE) -> VerifiedBackup:
        async def read() -> AsyncIterator[bytes]:
            yield bytes(self.data)

        return await VerifyBackup(backup_cipher=AesGcmBackupCipher())(read, passphrase)

    async def restore(self, backup: VerifiedBackup) -> None:
        restore = RestoreBackup(
            archive=self.archive,
            media=self.media,
            cipher=self.cipher,
            backup_cipher=AesGcmBackupCipher(),
            clock=self.clock,
        )
        await restore(backup, by=CLI)

    async def plain(self) -> list[object]:
        """Returns the items, with the secrets decrypted."""
        return [
            (msgspec.structs.replace(item, secrets={}), await self._secrets(item))
            if isinstance(item, Instance)
            else item
            for item in await items_of(self.archive)
        ]

    async def _secrets(self, instance: Instance) -> dict[str, object]:
        return {
            name: (
                (await self.cipher.open(stored.sealed, instance.address_of(stored))).reveal(),
                (stored.updated_at, stored.origin, stored.expires_at, stored.fingerprint is None),
            )
            for name, stored in sorted(instance.secrets.items())
        }


@pytest.fixture
async def source() -> Place:
    """A store whose master key is being rotated: some secrets need the older key."""
    place = Place(NEW, OLD)
    await place.add(key=OLD)
    await place.instances.save(await place.add(key=NEW))
    await place.users.add(UserFactory.build(disabled=True), audit=entry_of())
    return place


async def test_store_with_another_master_key_gets_the_same_data(source: Place) -> None:
    before = await source.plain()
    summary = await source.back_up()
    assert summary == BackupSummary(created_at=source.clock.now(), instances=2, users=1, audit_entries=3)
    target = Place(OTHER)
    await target.restore(backup := await source.verify())
    assert backup.summary == summary
    *after, restored = await target.plain()
    assert after == before
    assert restored == AuditEntry(at=target.clock.now(), actor="cli", action="backup.restore")


async def test_restored_channels_are_paused_and_imported_ones_stay_disconnected(source: Place) -> None:
    (first, second) = (await source.instances.list(InstanceQuery())).instances
    connections = MemoryChannelConnections(memory=source.memory)
    connected = await connections.add(connection_of(instance_id=first.id, slug=first.slug))
    await connections.set_problem(connected.id, ProblemKind.UNUSABLE, "why", at=source.clock.now())
    content = ChannelContent(
        channel=ChannelName("telegram"), delivery=Delivery.PULL, access=ChannelAccess.ALLOW_LIST, users=frozenset("7")
    )
    imported = disconnected(
        content, ConnectionId("i" * 22), instance_id=second.id, slug=second.slug, at=source.clock.now()
    )
    imported = await connections.add(imported)
    await source.back_up()
    target = Place(OTHER)
    await target.restore(await source.verify())
    restored = await MemoryChannelConnections(memory=target.memory).list()
    paused = msgspec.structs.replace(connected, state=ConnectionState.PAUSED)
    assert {each.id: each for each in restored} == {paused.id: paused, imported.id: imported}


async def test_instance_is_found_by_its_api_keys_after_a_restore(source: Place) -> None:
    await source.back_up()
    target = Place(OTHER)
    await target.restore(await source.verify())
    for instance in source.memory.instances.all():
        for name in (AUTH_API_KEY, PREVIOUS_AUTH_API_KEY):
            key = SecretText(f"sk-{name}-of-{instance.id}")
            query = InstanceQuery(key_fingerprints=await target.cipher.fingerprints(key))
            assert [found.id for found in (await target.instances.list(query)).instances] == [instance.id]


async def test_backup_contains_no_plaintext(source: Place) -> None:
    await source.back_up()
    for instance in source.memory.instances.all():
        for text in (instance.slug, instance.id, f"sk-{OPENAI_KEY}"):
            assert text.encode() not in source.data


async def test_secrets_that_no_key_decrypts_are_named_and_refused(source: Place) -> None:
    lost = await source.add(key=OTHER)
    with pytest.raises(UnreadableSecretsError) as refused:
        await source.back_up()
    assert "No configured master key decrypts 3 of the stored secrets" in refused.value.message
    for name in (AUTH_API_KEY, PREVIOUS_AUTH_API_KEY, OPENAI_KEY):
        assert f"{lost.slug}/{name}" in refused.value.message


async def test_many_unreadable_secrets_are_not_all_named(source: Place) -> None:
    for _ in range(5):
        await source.add(key=OTHER)
    with pytest.raises(UnreadableSecretsError, match=r"decrypts 15 of .*, …\Z"):
        await source.back_up()


async def test_empty_store_is_not_backed_up() -> None:
    with pytest.raises(EmptyStoreError):
        await Place(NEW).back_up()


async def test_wrong_passphrase_is_refused(source: Place) -> None:
    await source.back_up()
    with pytest.raises(WrongPassphraseError):
        await source.verify(passphrase=SecretText("another passphrase"))


async def test_backup_is_restored_only_into_an_empty_store(source: Place) -> None:
    await source.back_up()
    before = await source.plain()
    with pytest.raises(StoreNotEmptyError):
        await source.restore(await source.verify())
    assert await source.plain() == before


async def test_backup_that_changes_after_its_verification_is_not_restored(source: Place) -> None:
    await source.back_up()
    backup = await source.verify()
    source.data[-1] ^= 1
    target = Place(OTHER)
    with pytest.raises(DamagedBackupError):
        await target.restore(backup)
    assert await target.plain() == []
