"""Backups of conversations, restored under another master key."""

from collections.abc import AsyncIterator

import pytest

from polyant.adapters.crypto.backup_cipher import AesGcmBackupCipher
from polyant.adapters.crypto.secret_cipher import AesGcmSecretCipher
from polyant.adapters.memory.archive import MemoryArchive
from polyant.adapters.memory.instance_repo import MemoryInstanceRepo
from polyant.adapters.memory.store import MemoryStore
from polyant.domain.audit import CLI
from polyant.domain.backups import BackupSummary, StoreNotEmptyError
from polyant.domain.chat import AssistantMessage, TextPart, UserMessage
from polyant.domain.conversations import MessageId, TurnId
from polyant.domain.instances import Instance
from polyant.domain.lanes import Lane, LaneKind
from polyant.domain.media.parts import ImagePart
from polyant.domain.secrets import SecretText
from polyant.domain.use_cases.back_up import BackUp, UnreadableSecretsError
from polyant.domain.use_cases.restore_backup import RestoreBackup
from polyant.domain.use_cases.verify_backup import VerifyBackup
from polyant.testing.factories import InstanceFactory
from polyant.testing.media_store import all_of
from support.conversations import ConversationHarness
from support.images import png

OLD, NEW = SecretText("a" * 64), SecretText("b" * 64)
PASSPHRASE = SecretText("a passphrase of tests")


class Store:
    """A store with one master key."""

    def __init__(self, key: SecretText) -> None:
        self.memory = MemoryStore()
        self.cipher = AesGcmSecretCipher(master_keys=[key])
        self.stored = ConversationHarness(self.cipher, memory=self.memory)
        self.archive = MemoryArchive(memory=self.memory)

    async def lane(self, instance: Instance, chat_id: str) -> Lane:
        lane = await self.stored.hashes.lane(instance.id, "api", chat_id)
        return Lane(id=lane, kind=LaneKind.API, instance=instance.id, channel="api")

    async def fill(self) -> Instance:
        instance = await MemoryInstanceRepo(memory=self.memory).add(InstanceFactory.build(secrets={}))
        draft = await self.stored.keys.draft(await self.lane(instance, "chat-1"), label="Secret-User")
        await self.stored.repo.start(draft.conversation)
        contents: tuple[UserMessage | AssistantMessage, ...] = (
            await self.stored.media.keep(
                draft,
                UserMessage((TextPart("Secret-One"), ImagePart(media_type="image/png", data=png()))),
                message_id=MessageId("m-0"),
                at=self.stored.clock.now(),
            ),
            AssistantMessage("Secret-Two"),
        )
        messages = [
            draft.stored(content, message_id=MessageId(f"m-{at}"), turn=TurnId("t"), at=self.stored.clock.now())
            for at, content in enumerate(contents)
        ]
        await self.stored.repo.append(draft.id, messages)
        return instance

    async def back_up(self, data: bytearray) -> BackupSummary:
        back_up = BackUp(
            archive=self.archive,
            media=self.stored.media_store,
            cipher=self.cipher,
            backup_cipher=AesGcmBackupCipher(memory_kib=8, iterations=1),
            clock=self.stored.clock,
        )
        return await back_up(data.extend, PASSPHRASE)

    async def restore(self, data: bytearray) -> None:
        async def read() -> AsyncIterator[bytes]:
            yield bytes(data)

        backup = await VerifyBackup(backup_cipher=AesGcmBackupCipher())(read, PASSPHRASE)
        restore = RestoreBackup(
            archive=self.archive,
            media=self.stored.media_store,
            cipher=self.cipher,
            backup_cipher=AesGcmBackupCipher(),
            clock=self.stored.clock,
        )
        await restore(backup, by=CLI)


async def test_restored_conversation_is_continued_and_read_under_another_master_key() -> None:
    source, target, data = Store(OLD), Store(NEW), bytearray()
    instance = await source.fill()
    summary = await source.back_up(data)
    assert (summary.conversations, summary.messages, summary.media) == (1, 2, 1)
    await target.restore(data)
    assert await target.stored.texts(instance.id) == [
        ("user", "Secret-One", True),
        ("assistant", "Secret-Two", True),
    ]
    assert await all_of(target.stored.media_store) == await all_of(source.stored.media_store)
    lane = await target.lane(instance, "chat-1")
    found = await target.stored.repo.current(lane.id, newest=10)
    assert found is not None, "the same chat_id continues it"
    assert (await target.stored.keys.open(found.conversation)).label == "Secret-User"
    assert found.conversation.wrapped_by == await target.cipher.key_id()
    opened = await target.stored.keys.open(found.conversation)
    contents = [opened.content_of(each) for each in found.messages]
    with target.stored.media.account() as memory:
        (question, _) = await target.stored.media.recalled(opened, contents, memory)
    assert isinstance(question, UserMessage)
    assert question.parts[1] == ImagePart(media_type="image/png", data=png())


async def test_store_with_conversations_is_not_empty() -> None:
    source, target, data = Store(OLD), Store(NEW), bytearray()
    await source.fill()
    await source.back_up(data)
    await target.fill()
    before = await all_of(target.stored.media_store)
    with pytest.raises(StoreNotEmptyError):
        await target.restore(data)
    assert await all_of(target.stored.media_store) == before


async def test_conversation_that_no_key_unwraps_prevents_the_backup() -> None:
    source = Store(OLD)
    await source.fill()
    source.cipher = AesGcmSecretCipher(master_keys=[NEW])
    with pytest.raises(UnreadableSecretsError, match="the data key of"):
        await source.back_up(bytearray())
