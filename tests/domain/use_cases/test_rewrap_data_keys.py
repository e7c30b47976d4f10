import pytest

from polyant.adapters.crypto.data_cipher import AesGcmDataCipher
from polyant.adapters.crypto.secret_cipher import AesGcmSecretCipher
from polyant.domain.chat import UserMessage
from polyant.domain.conversations import ConversationId, MessageId, TurnId
from polyant.domain.errors import SecretUnreadableError
from polyant.domain.secrets import SecretText
from polyant.domain.use_cases.rewrap_data_keys import BATCH, RewrapDataKeys, Rewrapped
from polyant.testing.conversation_store import api_lane
from support.conversations import ConversationHarness

OLD, NEW, LOST = (SecretText(digit * 64) for digit in "abc")


def cipher_of(*keys: SecretText) -> AesGcmDataCipher:
    return AesGcmDataCipher(cipher=AesGcmSecretCipher(master_keys=keys))


class Conversations:
    """Conversations whose data keys the old master key wraps."""

    def __init__(self) -> None:
        self.stored = ConversationHarness(AesGcmSecretCipher(master_keys=[OLD]))

    async def add(self, name: str, *, key: SecretText = OLD) -> ConversationId:
        stored = ConversationHarness(AesGcmSecretCipher(master_keys=[key]), memory=self.stored.memory)
        draft = await stored.keys.draft(api_lane(name))
        await stored.repo.start(draft.conversation)
        message = draft.stored(
            UserMessage.of(f"Text of {name}"),
            message_id=MessageId(f"{name}-1"),
            turn=TurnId(name),
            at=stored.clock.now(),
        )
        await stored.repo.append(draft.id, [message])
        return draft.id

    def rewrap(self, *keys: SecretText) -> RewrapDataKeys:
        return RewrapDataKeys(maintenance=self.stored.maintenance, data_cipher=cipher_of(*keys))

    async def text(self, conversation: ConversationId, *keys: SecretText) -> str:
        history = await self.stored.repo.show(conversation)
        stored = ConversationHarness(AesGcmSecretCipher(master_keys=keys), memory=self.stored.memory)
        opened = await stored.keys.open(history.conversation)
        content = opened.content_of(history.messages[0])
        assert isinstance(content, UserMessage)
        return content.text


async def test_conversations_need_only_the_new_key_afterwards() -> None:
    conversations = Conversations()
    ids = [await conversations.add(f"c{number}") for number in range(3)]
    assert await conversations.rewrap(NEW, OLD).pending() == Rewrapped(3, 0)
    assert await conversations.rewrap(NEW, OLD)() == Rewrapped(3, 0)
    assert [await conversations.text(each, NEW) for each in ids] == [f"Text of c{number}" for number in range(3)]
    with pytest.raises(SecretUnreadableError):
        await conversations.text(ids[0], OLD)
    assert await conversations.rewrap(NEW, OLD).pending() == Rewrapped(0, 0)
    assert await conversations.rewrap(NEW, OLD)() == Rewrapped(0, 0)


async def test_keys_are_replaced_in_batches_and_resumed() -> None:
    conversations = Conversations()
    for number in range(BATCH + 5):
        await conversations.add(f"c{number}")
    seen: list[int] = []

    def interrupt(done: int) -> None:
        seen.append(done)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await conversations.rewrap(NEW, OLD)(interrupt)
    assert seen == [BATCH]
    assert await conversations.rewrap(NEW, OLD).pending() == Rewrapped(5, 0)
    assert await conversations.rewrap(NEW, OLD)(seen.append) == Rewrapped(5, 0)
    assert seen == [BATCH, 5]


async def test_unreadable_keys_are_counted_and_left_alone() -> None:
    conversations = Conversations()
    await conversations.add("lost", key=LOST)
    kept = await conversations.add("kept")
    assert await conversations.rewrap(NEW, OLD)() == Rewrapped(1, 1)
    assert await conversations.rewrap(NEW, OLD).pending() == Rewrapped(0, 1)
    assert await conversations.text(kept, NEW) == "Text of kept"
    assert await conversations.rewrap(NEW, LOST)() == Rewrapped(1, 0)
