"""The contract of ConversationRepo.append with the lease of the conversation's lane."""

from datetime import timedelta

import msgspec
import pytest

from polyant.domain.conversations import ConversationId, ConversationSelection, TurnId
from polyant.domain.errors import LeaseLostError, UnknownConversationError
from polyant.testing.contract import proves
from polyant.testing.conversation_store import (
    BOT,
    LEASE,
    ConversationStoreContract,
    ConversationStoreRig,
    api_lane,
    assistant_message,
    conversation_of,
    event_of,
    loaded,
    message_ids,
    user_message,
)
from polyant.testing.manual_clock import START

_ID = ConversationId("conversation-1")
_SECOND = timedelta(seconds=1)


class ConversationFencingContract(ConversationStoreContract):
    """The tests of leased appends that every ConversationRepo must pass; subclasses provide the rig."""

    @proves("LeaseLostError: The lease was taken by another holder, or released.")
    async def test_append_with_a_lost_lease_changes_nothing(self, rig: ConversationStoreRig) -> None:
        await rig.conversations.start(conversation_of())
        asked = user_message(digest="d-1", answered=False)
        await rig.conversations.append(_ID, [asked])
        late = await rig.lanes.acquire(api_lane(), owner="worker-1", seconds=LEASE)
        await rig.advance(LEASE + 1)
        lease = await rig.lanes.acquire(api_lane(), owner="worker-2", seconds=LEASE)
        repeated = user_message("m-2", digest="d-1")
        for release in (False, True):
            with pytest.raises(LeaseLostError):
                await rig.conversations.append(
                    _ID, [repeated], lease=late, answers=asked.turn, client_managed=True, release=release
                )
        history = await rig.conversations.show(_ID)
        assert (history.messages, history.conversation.client_managed) == ((asked,), False)
        await rig.conversations.append(_ID, [user_message("m-3")], lease=lease)
        assert await message_ids(rig) == ["m-1", "m-3"]

    @proves("LeaseLostError: The lease was taken by another holder, or released.")
    async def test_lease_is_lost_although_its_owner_has_the_lane_again(self, rig: ConversationStoreRig) -> None:
        await rig.conversations.start(conversation_of())
        late = await rig.lanes.acquire(api_lane(), owner="worker-1", seconds=LEASE)
        await rig.advance(LEASE + 1)
        await rig.lanes.acquire(api_lane(), owner="worker-1", seconds=LEASE)
        with pytest.raises(LeaseLostError):
            await rig.conversations.append(_ID, [user_message()], lease=late)
        assert await message_ids(rig) == []

    @proves("LeaseLostError: The lease was taken by another holder, or released.")
    async def test_lease_of_a_deleted_lane_is_lost(self, rig: ConversationStoreRig) -> None:
        """The lane is created again, so the number of its leases may be the same as before."""
        await rig.conversations.start(conversation_of())
        late = await rig.lanes.acquire(api_lane(), owner="worker-1", seconds=LEASE)
        await rig.advance(LEASE + 1)
        lease = await rig.lanes.acquire(api_lane(), owner="worker-2", seconds=LEASE)
        assert lease is not None
        await rig.lanes.release(lease)
        await rig.conversations.delete(ConversationSelection(instance=BOT, conversation=_ID), limit=9)
        await rig.conversations.start(conversation_of())
        await rig.lanes.acquire(api_lane(), owner="worker-3", seconds=LEASE)
        with pytest.raises(LeaseLostError):
            await rig.conversations.append(_ID, [user_message()], lease=late)
        assert await message_ids(rig) == []

    @proves("LeaseLostError: The lease was taken by another holder, or released.")
    async def test_expired_lease_that_nobody_took_is_valid(self, rig: ConversationStoreRig) -> None:
        await rig.conversations.start(conversation_of())
        lease = await rig.lanes.acquire(api_lane(), owner="worker-1", seconds=LEASE)
        await rig.advance(LEASE + 1)
        await rig.conversations.append(_ID, [user_message()], lease=lease)
        await rig.conversations.append(_ID, [assistant_message()], lease=lease, answers=TurnId("turn-1"), release=True)
        assert await message_ids(rig) == ["m-1", "a-1"]

    @proves("With `release`, the lease ends with the write, as `Lanes.release` ends it.")
    async def test_append_ends_its_lease(self, rig: ConversationStoreRig) -> None:
        await rig.conversations.start(conversation_of())
        lease = await rig.lanes.acquire(api_lane(), owner="worker-1", seconds=LEASE)
        await rig.conversations.append(_ID, [user_message()], lease=lease, release=True)
        assert await message_ids(rig) == ["m-1"]
        again = await rig.lanes.acquire(api_lane(), owner="worker-2", seconds=LEASE)
        assert again is not None
        with pytest.raises(LeaseLostError):
            await rig.conversations.append(_ID, [user_message("m-2")], lease=lease, release=True)
        await rig.lanes.renew(again, seconds=LEASE)
        assert await message_ids(rig) == ["m-1"]

    async def test_turn_with_a_lease_stores_question_and_answer(self, rig: ConversationStoreRig) -> None:
        await rig.conversations.start(conversation_of())
        lease = await rig.lanes.acquire(api_lane(), owner="worker-1", seconds=LEASE)
        question, answer = user_message(answered=False, digest="d-1"), assistant_message(at=START + _SECOND)
        for _ in range(2):
            await rig.conversations.append(_ID, [question], lease=lease)
        asked = await rig.conversations.show(_ID)
        assert (asked.messages, asked.conversation.messages, asked.conversation.unanswered) == ((question,), 1, 1)
        for _ in range(2):
            await rig.conversations.append(_ID, [answer], lease=lease, answers=TurnId("turn-1"), release=True)
        told = await rig.conversations.show(_ID)
        assert told.messages == (msgspec.structs.replace(question, answered=True), answer)
        assert (told.conversation.messages, told.conversation.unanswered) == (2, 0)
        assert told.conversation.updated_at == answer.at
        assert await rig.lanes.acquire(api_lane(), owner="worker-2", seconds=LEASE) is not None

    async def test_repeated_unanswered_message_is_replaced_under_a_lease(self, rig: ConversationStoreRig) -> None:
        await rig.conversations.start(conversation_of())
        lease = await rig.lanes.acquire(api_lane(), owner="worker-1", seconds=LEASE)
        for number, digest in ((1, "d-1"), (2, "d-2"), (3, "d-1")):
            message = user_message(f"m-{number}", digest=digest, answered=False, turn=TurnId(f"turn-{number}"))
            await rig.conversations.append(_ID, [message], lease=lease)
        assert await message_ids(rig) == ["m-2", "m-3"]
        answer = assistant_message(turn=TurnId("turn-3"), digest="d-2", answered=False)
        await rig.conversations.append(_ID, [answer], lease=lease, answers=TurnId("turn-3"), release=True)
        history = await rig.conversations.show(_ID)
        assert [(each.id, each.answered) for each in history.messages] == [("m-3", True), ("a-1", True)]
        assert (history.conversation.messages, history.conversation.unanswered) == (2, 0)

    async def test_second_answer_of_a_turn_is_ignored_and_ends_its_lease(self, rig: ConversationStoreRig) -> None:
        await rig.conversations.start(conversation_of())
        for name in ("a-1", "a-2"):
            lease = await rig.lanes.acquire(api_lane(), owner="worker-1", seconds=LEASE)
            assert lease is not None
            await rig.conversations.append(
                _ID, [assistant_message(name)], lease=lease, answers=TurnId("turn-1"), release=True
            )
        assert await message_ids(rig) == ["a-1"]
        assert (await rig.conversations.show(_ID)).conversation.messages == 1
        assert await rig.lanes.acquire(api_lane(), owner="worker-2", seconds=LEASE) is not None

    async def test_client_managed_is_set_under_a_lease(self, rig: ConversationStoreRig) -> None:
        await rig.conversations.start(conversation_of())
        lease = await rig.lanes.acquire(api_lane(), owner="worker-1", seconds=LEASE)
        await rig.conversations.append(_ID, [user_message()], lease=lease, client_managed=True)
        assert (await rig.conversations.show(_ID)).conversation.client_managed

    async def test_append_without_its_conversation_keeps_the_lease(self, rig: ConversationStoreRig) -> None:
        lease = await rig.lanes.acquire(api_lane(), owner="worker-1", seconds=LEASE)
        assert lease is not None
        with pytest.raises(UnknownConversationError):
            await rig.conversations.append(_ID, [user_message()], lease=lease, release=True)
        await rig.lanes.renew(lease, seconds=LEASE)

    async def test_append_that_ends_the_lease_of_a_woken_lane_makes_it_due(self, rig: ConversationStoreRig) -> None:
        work = await loaded(rig, event_of())
        await rig.conversations.start(conversation_of())
        await rig.inbox.receive([event_of("e-2")])
        await rig.conversations.append(_ID, [user_message()], lease=work.lease, release=True)
        assert await rig.lanes.claim(owner="worker-2", seconds=LEASE) is not None

    @proves("A call with `release` changes nothing if its lease has ended and its messages are stored.")
    async def test_repeated_append_that_ends_its_lease_changes_nothing(self, rig: ConversationStoreRig) -> None:
        await rig.conversations.start(conversation_of())
        lease = await rig.lanes.acquire(api_lane(), owner="worker-1", seconds=LEASE)
        await rig.conversations.append(_ID, [user_message()], lease=lease, release=True)
        await rig.conversations.append(_ID, [user_message()], lease=lease, release=True, client_managed=True)
        history = await rig.conversations.show(_ID)
        assert [message.id for message in history.messages] == ["m-1"]
        assert not history.conversation.client_managed

    @proves("A call with `release` changes nothing if its lease has ended and its messages are stored.")
    async def test_call_with_a_lost_lease_is_no_repetition(self, rig: ConversationStoreRig) -> None:
        """Neither with a message that isn't stored, nor without `release`."""
        await rig.conversations.start(conversation_of())
        lease = await rig.lanes.acquire(api_lane(), owner="worker-1", seconds=LEASE)
        await rig.conversations.append(_ID, [user_message()], lease=lease, release=True)
        with pytest.raises(LeaseLostError):
            await rig.conversations.append(_ID, [user_message(), user_message("m-2")], lease=lease, release=True)
        with pytest.raises(LeaseLostError):
            await rig.conversations.append(_ID, [user_message()], lease=lease)
        assert await message_ids(rig) == ["m-1"]

    @proves("With `release`, the lease ends with the write, as `Lanes.release` ends it.")
    async def test_call_without_messages_ends_its_lease(self, rig: ConversationStoreRig) -> None:
        await rig.conversations.start(conversation_of())
        lease = await rig.lanes.acquire(api_lane(), owner="worker-1", seconds=LEASE)
        await rig.conversations.append(_ID, [user_message(answered=False)], lease=lease)
        await rig.conversations.append(_ID, [], lease=lease, answers=TurnId("turn-1"), release=True)
        assert (await rig.conversations.show(_ID)).conversation.unanswered == 0
        assert await rig.lanes.acquire(api_lane(), owner="worker-2", seconds=LEASE) is not None
