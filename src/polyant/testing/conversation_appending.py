"""The contract of ConversationRepo.append without a lease."""

import asyncio
from datetime import timedelta

import pytest

from polyant.domain.conversations import (
    ConversationFilter,
    ConversationId,
    ConversationSelection,
    LaneId,
    MessageRole,
    TurnId,
)
from polyant.domain.errors import UnknownConversationError
from polyant.testing.contract import proves
from polyant.testing.conversation_store import (
    BOT,
    ConversationStoreContract,
    ConversationStoreRig,
    assistant_message,
    conversation_of,
    message_ids,
    messages_of,
    user_message,
)
from polyant.testing.manual_clock import START

_ID = ConversationId("conversation-1")
_OTHER = ConversationId("conversation-2")
_SECOND = timedelta(seconds=1)


class ConversationAppendingContract(ConversationStoreContract):
    """The tests of appended messages that every ConversationRepo must pass; subclasses provide the rig."""

    async def test_append_for_a_turn_answers_its_messages(self, rig: ConversationStoreRig) -> None:
        await rig.conversations.start(conversation_of())
        failed = user_message("m-0", answered=False, turn=TurnId("turn-0"))
        question, answer = user_message(answered=False), assistant_message(answered=False)
        await rig.conversations.append(_ID, [failed, question])
        await rig.conversations.append(_ID, [answer], answers=TurnId("turn-1"))
        history = await rig.conversations.show(_ID)
        assert [(each.id, each.answered) for each in history.messages] == [("m-0", False), ("m-1", True), ("a-1", True)]
        assert history.conversation.unanswered == 1

    @proves(
        "A stored unanswered message with the digest of one of `messages` is deleted, because that one "
        "repeats it; unless the call gives it again.",
    )
    async def test_repeated_unanswered_message_is_replaced(self, rig: ConversationStoreRig) -> None:
        await rig.conversations.start(conversation_of())
        await rig.conversations.append(_ID, [user_message("m-1", digest="d-1"), user_message("m-2", digest=None)])
        await rig.conversations.append(
            _ID, [user_message(f"m-{n}", digest=f"d-{n}", answered=False, turn=TurnId("t-3")) for n in (3, 4)]
        )
        await rig.conversations.append(
            _ID,
            [
                user_message("m-5", digest="d-3", answered=False),
                user_message("m-6", digest="d-1", answered=False),
                user_message("m-7", digest=None, answered=False),
            ],
        )
        assert await message_ids(rig) == ["m-1", "m-2", "m-4", "m-5", "m-6", "m-7"]
        assert (await rig.conversations.show(_ID)).conversation.messages == 6

    @proves(
        "A message whose id is stored is ignored, and so is a second message of the assistant for one "
        "turn: repeating a call changes nothing.",
    )
    async def test_repeated_append_changes_nothing(self, rig: ConversationStoreRig) -> None:
        await rig.conversations.start(conversation_of())
        question = user_message(answered=False, digest="d-1")
        for _ in range(2):
            await rig.conversations.append(_ID, [question])
        for name in ("a-1", "a-2"):
            await rig.conversations.append(_ID, [assistant_message(name)], answers=TurnId("turn-1"))
        assert await message_ids(rig) == ["m-1", "a-1"]
        await rig.conversations.append(_ID, [question])
        assert (await rig.conversations.show(_ID)).conversation.unanswered == 0

    async def test_conversation_becomes_client_managed_for_good(self, rig: ConversationStoreRig) -> None:
        await rig.conversations.start(conversation_of())
        await rig.conversations.append(_ID, [user_message()], client_managed=True)
        await rig.conversations.append(_ID, [user_message("m-2")])
        assert (await rig.conversations.show(_ID)).conversation.client_managed

    @proves("The conversation's time of update becomes the time of the latest message, if that is later.")
    async def test_update_time_never_goes_back(self, rig: ConversationStoreRig) -> None:
        await rig.conversations.start(conversation_of())
        await rig.conversations.append(_ID, [user_message(at=START + _SECOND), user_message("m-2")])
        await rig.conversations.append(_ID, [user_message("m-3", at=START - _SECOND)])
        assert (await rig.conversations.show(_ID)).conversation.updated_at == START + _SECOND

    @proves(
        "UnknownConversationError: The conversation doesn't exist, or was deleted.",
        "UnknownConversationError: The conversation doesn't exist, or doesn't have the message before the piece.",
    )
    async def test_unknown_conversation_is_reported(self, rig: ConversationStoreRig) -> None:
        with pytest.raises(UnknownConversationError):
            await rig.conversations.append(_ID, [user_message()])
        with pytest.raises(UnknownConversationError):
            await rig.conversations.show(_ID)

    @proves(
        "UnknownConversationError: The conversation doesn't exist, or was deleted.",
        "UnknownConversationError: The conversation doesn't exist, or doesn't have the message before the piece.",
    )
    async def test_deleted_conversation_stays_deleted(self, rig: ConversationStoreRig) -> None:
        await rig.conversations.start(conversation_of())
        await rig.conversations.append(_ID, [user_message()])
        await rig.conversations.delete(ConversationSelection(instance=BOT, conversation=_ID), limit=9)
        with pytest.raises(UnknownConversationError):
            await rig.conversations.append(_ID, [assistant_message()])
        with pytest.raises(UnknownConversationError):
            await rig.conversations.show(_ID)
        assert (await rig.conversations.list(ConversationFilter(instance=BOT), limit=9)).total == 0

    async def test_concurrent_appends_are_all_stored(self, rig: ConversationStoreRig) -> None:
        await rig.conversations.start(conversation_of())
        await asyncio.gather(*(rig.conversations.append(_ID, [message]) for message in messages_of(20)))
        assert len(await message_ids(rig)) == 20
        assert (await rig.conversations.show(_ID)).conversation.messages == 20

    @proves(
        "A stored unanswered message with the digest of one of `messages` is deleted, because that one "
        "repeats it; unless the call gives it again.",
    )
    async def test_messages_of_other_conversations_are_not_repeated(self, rig: ConversationStoreRig) -> None:
        for conversation, lane in ((_ID, "lane-1"), (_OTHER, "lane-2")):
            await rig.conversations.start(conversation_of(conversation, lane))
        asked = user_message("m-2", digest="d-1", answered=False, turn=TurnId("turn-2"))
        await rig.conversations.append(_OTHER, [asked])
        await rig.conversations.append(_ID, [user_message(digest="d-1", answered=False)])
        assert (await rig.conversations.show(_OTHER)).messages == (asked,)

    @proves(
        "A message whose id is stored is ignored, and so is a second message of the assistant for one "
        "turn: repeating a call changes nothing.",
    )
    async def test_each_turn_has_one_answer(self, rig: ConversationStoreRig) -> None:
        await rig.conversations.start(conversation_of())
        for number in (1, 2):
            await rig.conversations.append(_ID, [assistant_message(f"a-{number}", turn=TurnId(f"turn-{number}"))])
        both = [assistant_message(f"a-{number}", turn=TurnId("turn-3")) for number in (3, 4)]
        await rig.conversations.append(_ID, [*both, user_message("m-1"), user_message("m-1")])
        assert await message_ids(rig) == ["a-1", "a-2", "a-3", "m-1"]
        assert (await rig.conversations.show(_ID)).conversation.messages == 4

    @proves(
        "A message whose id is stored is ignored, and so is a second message of the assistant for one "
        "turn: repeating a call changes nothing.",
    )
    async def test_concurrent_repetitions_are_stored_once(self, rig: ConversationStoreRig) -> None:
        await rig.conversations.start(conversation_of())
        question = user_message(answered=False)
        await asyncio.gather(*(rig.conversations.append(_ID, [question]) for _ in range(5)))
        answers = [assistant_message(f"a-{number}") for number in range(5)]
        await asyncio.gather(*(rig.conversations.append(_ID, [each], answers=each.turn) for each in answers))
        history = await rig.conversations.show(_ID)
        assert [message.role for message in history.messages] == [MessageRole.USER, MessageRole.ASSISTANT]
        assert (history.conversation.messages, history.conversation.unanswered) == (2, 0)

    @proves("Stores messages at the end of a conversation: all or none.")
    async def test_messages_of_a_call_appear_together(self, rig: ConversationStoreRig) -> None:
        await rig.conversations.start(conversation_of())
        storing = asyncio.create_task(rig.conversations.append(_ID, messages_of(20)))
        seen = set[tuple[int, int]]()
        while not storing.done():
            history = await rig.conversations.show(_ID)
            seen.add((len(history.messages), history.conversation.messages))
            await asyncio.sleep(0)
        await storing
        assert seen <= {(0, 0), (20, 20)}
        assert len(await message_ids(rig)) == 20

    @proves("Stores messages at the end of a conversation: all or none.")
    async def test_cancelled_call_stores_all_or_none(self, rig: ConversationStoreRig) -> None:
        await rig.conversations.start(conversation_of())
        for number in range(5):
            messages = [user_message(f"m-{number}-{place}") for place in range(3)]
            storing = asyncio.create_task(rig.conversations.append(_ID, messages))
            for _ in range(number):
                await asyncio.sleep(0)
            storing.cancel()
            await asyncio.wait([storing])
        await rig.conversations.append(_ID, [user_message("last")])
        history = await rig.conversations.show(_ID)
        stored = [message.id.rpartition("-")[0] for message in history.messages if message.id != "last"]
        assert {stored.count(each) for each in stored} <= {3}
        assert history.conversation.messages == len(history.messages)

    async def test_call_without_messages_has_its_other_effects(self, rig: ConversationStoreRig) -> None:
        await rig.conversations.start(conversation_of())
        await rig.conversations.append(_ID, [user_message(answered=False)])
        await rig.conversations.append(_ID, [], answers=TurnId("turn-1"), client_managed=True)
        found = (await rig.conversations.show(_ID)).conversation
        assert (found.messages, found.unanswered, found.client_managed, found.updated_at) == (1, 0, True, START)

    @proves("Returns the lane's current conversation, or None if it has none.")
    async def test_late_message_does_not_make_its_conversation_current(self, rig: ConversationStoreRig) -> None:
        await rig.conversations.start(conversation_of())
        await rig.conversations.start(conversation_of(_OTHER), replaces=_ID)
        await rig.conversations.append(_ID, [user_message(at=START + _SECOND)])
        found = await rig.conversations.current(LaneId("lane-1"), newest=9)
        assert found is not None
        assert (found.conversation.id, found.messages) == (_OTHER, ())
