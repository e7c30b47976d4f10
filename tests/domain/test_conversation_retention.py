import asyncio
import logging
from datetime import timedelta

import pytest

from polyant.adapters.crypto.secret_cipher import AesGcmSecretCipher
from polyant.domain.chat import UserMessage
from polyant.domain.conversation_removal import BATCH
from polyant.domain.conversation_retention import PAUSE_SECONDS, ConversationRetention
from polyant.domain.conversations import ConversationId, MessageId, TurnId
from polyant.domain.errors import StorageUnavailableError, UnknownConversationError
from polyant.domain.injectables import ConversationDays
from polyant.domain.secrets import SecretText
from polyant.testing.conversation_store import api_lane
from polyant.testing.manual_clock import ManualClock
from support.conversations import ConversationHarness


class Kept:
    """Conversations with messages of different ages, and the retention of two days."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.stored = ConversationHarness(AesGcmSecretCipher(master_keys=[SecretText("a" * 64)]), clock=self.clock)
        self.retention = ConversationRetention(removal=self.stored.removal, days=ConversationDays(2), clock=self.clock)

    async def add(self, name: str, *days: float) -> ConversationId:
        """Stores a conversation with messages that are that many days old."""
        draft = await self.stored.keys.draft(api_lane(name))
        await self.stored.repo.start(draft.conversation)
        messages = [
            draft.stored(
                UserMessage.of("Hi"),
                message_id=MessageId(f"{name}-{at}"),
                turn=TurnId(f"{name}-{at}"),
                at=self.clock.now() - timedelta(days=age),
            )
            for at, age in enumerate(days)
        ]
        await self.stored.repo.append(draft.id, messages)
        return draft.id

    async def count(self, conversation: ConversationId) -> int:
        return len((await self.stored.repo.show(conversation)).messages)


async def test_messages_expire_by_their_age_and_the_conversation_with_the_last_one() -> None:
    kept = Kept()
    old, mixed, young = await kept.add("a", 3, 2.1), await kept.add("b", 3, 1), await kept.add("c", 1)
    await kept.retention.expire()
    with pytest.raises(UnknownConversationError):
        await kept.stored.repo.show(old)
    assert (await kept.count(mixed), await kept.count(young)) == (1, 1)
    assert await kept.stored.maintenance.count_keys("nobody") == 0


async def test_many_messages_expire_in_several_batches() -> None:
    kept = Kept()
    conversation = await kept.add("a", *[3] * (2 * BATCH + 1), 1)
    removed, complete = await kept.stored.removal.expire_batch(kept.clock.now() - timedelta(days=2))
    assert (removed.messages, complete) == (BATCH, False)
    expiry = asyncio.create_task(kept.retention.expire())
    while not expiry.done():
        await asyncio.sleep(0)
        kept.clock.advance(1)
    assert await kept.count(conversation) == 1


async def test_server_expires_in_the_background_and_survives_outages(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    kept = Kept()
    conversation = await kept.add("a", 3, 1)
    calls: list[object] = []
    expire = kept.stored.maintenance.expire_messages

    async def fail_once(*args: object, **options: object) -> object:
        calls.append(args)
        if len(calls) == 1:
            raise StorageUnavailableError
        return await expire(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(kept.stored.maintenance, "expire_messages", fail_once)
    caplog.set_level(logging.WARNING, "polyant")
    async with kept.retention:
        while len(calls) < 2:
            await asyncio.sleep(0)
            kept.clock.advance(PAUSE_SECONDS / 10)
        while await kept.count(conversation) > 1:  # noqa: ASYNC110 - it ends by itself
            await asyncio.sleep(0)
    assert "Expired messages can't be deleted now" in caplog.text
