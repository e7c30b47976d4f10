import asyncio

import pytest

from polyant.adapters.crypto.data_cipher import AesGcmDataCipher
from polyant.adapters.crypto.secret_cipher import AesGcmSecretCipher
from polyant.adapters.memory.inbox import MemoryInbox
from polyant.adapters.memory.store import MemoryStore
from polyant.domain.conversations import INDEX_DAY, KeyReplacement
from polyant.domain.errors import SecretUnreadableError
from polyant.domain.instances import InstanceId
from polyant.domain.lookup_hashes import LookupHashes
from polyant.domain.secrets import SecretText
from polyant.testing.manual_clock import ManualClock
from support.conversations import ConversationHarness

OLD, NEW = SecretText("a" * 64), SecretText("b" * 64)
BOT, OTHER = InstanceId("b" * 32), InstanceId("c" * 32)


def hashes_on(store: MemoryStore, *keys: SecretText) -> LookupHashes:
    inbox = MemoryInbox(store=store, clock=ManualClock())
    return LookupHashes(inbox=inbox, data_cipher=AesGcmDataCipher(cipher=AesGcmSecretCipher(master_keys=keys)))


async def test_equal_addresses_have_equal_hashes_in_every_process() -> None:
    store = MemoryStore()
    one, two = hashes_on(store, OLD), hashes_on(store, OLD)
    assert await one.lane(BOT, "api", "chat-1") == await two.lane(BOT, "api", "chat-1")
    assert await one.user(BOT, "api", "ann") == await two.user(BOT, "api", "ann")


async def test_processes_that_start_together_agree_on_the_key() -> None:
    store = MemoryStore()
    calls = (hashes_on(store, OLD).lane(BOT, "api", "chat-1") for _ in range(5))
    assert len(set(await asyncio.gather(*calls))) == 1


async def test_different_addresses_have_different_hashes() -> None:
    hashes = hashes_on(MemoryStore(), OLD)
    found = [
        await hashes.lane(BOT, "api", "chat-1"),
        await hashes.lane(OTHER, "api", "chat-1"),
        await hashes.lane(BOT, "telegram", "chat-1"),
        await hashes.lane(BOT, "api", "chat-2"),
        await hashes.lane(BOT, "api", "chat-1", ""),
        await hashes.lane(BOT, "api", "chat-1", "ann"),
        await hashes.lane(BOT, "api", "chat", "-1", "ann"),
        await hashes.user(BOT, "api", "chat-1"),
        await hashes_on(MemoryStore(), OLD).lane(BOT, "api", "chat-1"),
    ]
    assert len(set(found)) == len(found)
    assert all(len(each) <= 64 and "chat" not in each for each in found)


async def test_hashes_survive_a_change_of_the_master_key() -> None:
    harness = ConversationHarness(AesGcmSecretCipher(master_keys=[OLD]))
    before = await harness.hashes.lane(BOT, "api", "chat-1")
    both = AesGcmDataCipher(cipher=AesGcmSecretCipher(master_keys=[NEW, OLD]))
    (key,) = await harness.maintenance.outdated_keys(await both.key_id(), limit=10)
    wrapped = await both.rewrap_key(key.key, key.id)
    new = type(key)(kind=key.kind, id=key.id, key=wrapped, wrapped_by=await both.key_id())
    assert await harness.maintenance.replace_keys([KeyReplacement(key, new)]) == 1
    assert await hashes_on(harness.memory, NEW).lane(BOT, "api", "chat-1") == before
    with pytest.raises(SecretUnreadableError):
        await hashes_on(harness.memory, OLD).lane(BOT, "api", "chat-1")


async def test_key_outlives_the_retention_of_events() -> None:
    harness = ConversationHarness(AesGcmSecretCipher(master_keys=[OLD]))
    before = await harness.hashes.lane(BOT, "api", "chat-1")
    now = harness.clock.now().replace(year=9000)
    while not await harness.maintenance.expire_events(finished_before=now, dead_before=now, limit=10):
        pass
    assert await harness.inbox.ingest_key(INDEX_DAY) is not None
    assert await hashes_on(harness.memory, OLD).lane(BOT, "api", "chat-1") == before
