import asyncio

from msgspec.structs import replace

from polyant.adapters.crypto.data_cipher import AesGcmDataCipher
from polyant.adapters.crypto.secret_cipher import AesGcmSecretCipher
from polyant.adapters.system.token_source import SystemTokenSource
from polyant.domain.conversations import Conversation
from polyant.domain.errors import SecretUnreadableError
from polyant.domain.known_conversations import MAX_KNOWN, KnownConversations
from polyant.domain.open_conversation import ConversationKeys, OpenConversation
from polyant.domain.secrets import SecretText
from polyant.testing.conversation_store import api_lane
from polyant.testing.manual_clock import ManualClock


class Scenario:
    def __init__(self) -> None:
        cipher = AesGcmSecretCipher(master_keys=[SecretText("0f" * 32)])
        self.data_cipher = AesGcmDataCipher(cipher=cipher)
        self.keys = ConversationKeys(data_cipher=self.data_cipher, tokens=SystemTokenSource(), clock=ManualClock())
        self.known = KnownConversations(self.keys)

    async def remembered(self, lane: str) -> Conversation:
        conversation = (await self.keys.draft(api_lane(lane))).conversation
        self.known.remember(conversation)
        return conversation


async def test_remembered_conversation_is_opened_with_a_key_of_its_own() -> None:
    scenario = Scenario()
    first, second = await scenario.remembered("lane-1"), await scenario.remembered("lane-2")
    for conversation in (first, second):
        opened = await scenario.known.open(conversation.lane)
        again = await scenario.known.open(conversation.lane)
        assert opened is not None
        assert again is not None
        assert opened.conversation == again.conversation == conversation
        assert opened.key is not again.key


async def test_unknown_lane_has_no_conversation() -> None:
    scenario = Scenario()
    await scenario.remembered("lane-1")
    assert await scenario.known.open(api_lane("lane-2").id) is None


async def test_latest_conversation_of_a_lane_counts() -> None:
    scenario = Scenario()
    await scenario.remembered("lane-1")
    latest = await scenario.remembered("lane-1")
    opened = await scenario.known.open(latest.lane)
    assert opened is not None
    assert opened.id == latest.id


async def test_conversation_whose_key_is_gone_is_forgotten_once() -> None:
    """Several turns can try at once, if the key is unwrapped elsewhere."""

    class Lost(ConversationKeys):
        async def open(self, conversation: Conversation) -> OpenConversation:
            await asyncio.sleep(0)
            if conversation.data_key != readable.data_key:
                raise SecretUnreadableError
            return await super().open(conversation)

    scenario = Scenario()
    readable = await scenario.remembered("lane-1")
    known = KnownConversations(Lost(data_cipher=scenario.data_cipher, tokens=SystemTokenSource(), clock=ManualClock()))
    unreadable = replace(readable, data_key="v1.gone")
    known.remember(unreadable)
    assert not any(await asyncio.gather(known.open(readable.lane), known.open(readable.lane)))
    known.remember(unreadable)
    late = asyncio.create_task(known.open(readable.lane))
    await asyncio.sleep(0)
    known.remember(readable)
    assert await late is None
    assert await known.open(readable.lane) is not None


async def test_of_too_many_conversations_those_used_last_are_remembered() -> None:
    scenario = Scenario()
    for number in range(MAX_KNOWN):
        await scenario.remembered(f"lane-{number}")
    await scenario.remembered("lane-0")
    await scenario.remembered("lane-new")
    names = ("lane-0", "lane-1", "lane-2", "lane-new")
    assert [await scenario.known.open(api_lane(name).id) is not None for name in names] == [True, False, True, True]
