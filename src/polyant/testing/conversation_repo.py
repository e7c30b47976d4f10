"""The contract of the port ConversationRepo."""

import asyncio
from datetime import timedelta

import msgspec
import pytest

from polyant.domain.conversations import (
    ConversationFilter,
    ConversationId,
    ConversationSelection,
    LaneId,
    StoredText,
    TurnId,
)
from polyant.domain.errors import LeaseLostError, StorageUnavailableError, UnknownConversationError
from polyant.domain.lane_work import DeliveryFilter, EventFilter
from polyant.domain.ports.conversation_repo import ConversationRepo
from polyant.testing.contract import proves
from polyant.testing.conversation_store import (
    BOT,
    LEASE,
    OTHER_BOT,
    ConversationStoreContract,
    ConversationStoreOutageContract,
    ConversationStoreRig,
    api_lane,
    assistant_message,
    conversation_of,
    event_of,
    finished,
    is_new_lane,
    lane_of,
    leased_and_released,
    loaded,
    messages_of,
    user_message,
)
from polyant.testing.manual_clock import START

_LANE = LaneId("lane-1")
_ID = ConversationId("conversation-1")
_SECOND = timedelta(seconds=1)


async def _ids(rig: ConversationStoreRig, newest: int | None = None) -> list[str]:
    return [message.id for message in (await rig.conversations.show(_ID, newest=newest)).messages]


class ConversationRepoContract(ConversationStoreContract):
    """The tests that every ConversationRepo must pass; subclasses provide the rig."""

    def test_implements_the_port(self, rig: ConversationStoreRig) -> None:
        assert isinstance(rig.conversations, ConversationRepo)

    @proves("Returns the lane's current conversation, or None if it has none.")
    async def test_lane_has_no_conversation_initially(self, rig: ConversationStoreRig) -> None:
        assert await rig.conversations.current(_LANE, newest=9) is None
        await rig.lanes.acquire(api_lane(), owner="worker-1", seconds=LEASE)
        assert await rig.conversations.current(_LANE, newest=9) is None

    @proves("Counts of the given conversation are ignored.")
    @proves(
        "Stores conversations and their messages; texts are ciphertext, and are returned unchanged.",
        "Stores a new conversation, makes it the current one of its lane, and returns it.",
    )
    async def test_started_conversation_is_returned_unchanged(self, rig: ConversationStoreRig) -> None:
        full = conversation_of(
            user="hash", label="é🙂'", channel="fake", client_managed=True, updated_at=START + _SECOND
        )
        assert await rig.conversations.start(msgspec.structs.replace(full, messages=7, unanswered=7)) == full
        history = await rig.conversations.current(_LANE, newest=9)
        assert history is not None
        assert (history.conversation, history.messages) == (full, ())

    @proves(
        "If the lane's current conversation isn't the one that it `replaces` (None: the lane has none), "
        "nothing is stored and the current one is returned.",
    )
    async def test_lane_with_a_conversation_keeps_it(self, rig: ConversationStoreRig) -> None:
        first = await rig.conversations.start(conversation_of())
        assert await rig.conversations.start(conversation_of("conversation-2")) == first
        with pytest.raises(UnknownConversationError):
            await rig.conversations.show(ConversationId("conversation-2"))

    @proves("The replaced conversation stays stored.")
    async def test_new_conversation_replaces_the_current_one(self, rig: ConversationStoreRig) -> None:
        first = await rig.conversations.start(conversation_of())
        second = await rig.conversations.start(conversation_of("conversation-2"), replaces=first.id)
        assert second.id == "conversation-2"
        history = await rig.conversations.current(_LANE, newest=9)
        assert history is not None
        assert history.conversation == second
        assert (await rig.conversations.show(first.id)).conversation == first
        assert await rig.conversations.start(conversation_of("conversation-3"), replaces=first.id) == second

    @proves("Of concurrent calls for one lane, one stores its conversation.")
    async def test_concurrent_calls_start_one_conversation(self, rig: ConversationStoreRig) -> None:
        drafts = [conversation_of(f"conversation-{number}") for number in range(10)]
        started = await asyncio.gather(*(rig.conversations.start(draft) for draft in drafts))
        assert len({each.id for each in started}) == 1
        page = await rig.conversations.list(ConversationFilter(instance=BOT), limit=99)
        assert [each.id for each in page.conversations] == [started[0].id]

    @proves("Returns a conversation with its newest messages, answered or not, oldest first; with None, with all.")
    @proves("Stores conversations and their messages; texts are ciphertext, and are returned unchanged.")
    async def test_appended_messages_are_returned_unchanged(self, rig: ConversationStoreRig) -> None:
        await rig.conversations.start(conversation_of())
        full = assistant_message(
            text="x" * 70_000 + "é🙂'",
            at=START + timedelta(microseconds=1),
            tokens=2**40,
            answered=True,
            digest="digest",
            platform_id="p-1",
            sender="hash",
            tools=("current_time", 'a,b "c"'),
            finish_reason="stop",
        )
        await rig.conversations.append(_ID, [user_message(answered=False), full])
        history = await rig.conversations.show(_ID)
        assert history.messages == (user_message(answered=False), full)
        assert (history.conversation.messages, history.conversation.unanswered) == (2, 1)
        assert history.conversation.updated_at == full.at

    @proves("The messages are the newest answered ones, at most `newest`, oldest first; with 0, none is returned.")
    async def test_current_returns_the_newest_answered_messages(self, rig: ConversationStoreRig) -> None:
        await rig.conversations.start(conversation_of())
        first, second, third, fourth = messages_of(4)
        await rig.conversations.append(_ID, [first, second])
        await rig.conversations.append(_ID, [msgspec.structs.replace(third, answered=False), fourth])
        for newest, expected in ((0, ()), (1, (fourth,)), (2, (second, fourth)), (9, (first, second, fourth))):
            history = await rig.conversations.current(_LANE, newest=newest)
            assert history is not None
            assert history.messages == tuple(
                StoredText(each.id, each.role, each.text, each.tokens) for each in expected
            )

    @proves("Returns a conversation with its newest messages, answered or not, oldest first; with None, with all.")
    @proves("Messages are ordered by when they were stored, and those of one call by their order in it.")
    async def test_order_is_that_of_storing_not_of_time(self, rig: ConversationStoreRig) -> None:
        await rig.conversations.start(conversation_of())
        names = [f"m-{number}" for number in (3, 1, 2, 9, 5)]
        for name, seconds in zip(names, (5, 1, 9, 0, 3), strict=True):
            await rig.conversations.append(_ID, [user_message(name, at=START + seconds * _SECOND)])
        assert await _ids(rig) == names
        assert await _ids(rig, newest=2) == names[-2:]
        assert await _ids(rig, newest=0) == []

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
        assert await _ids(rig) == ["m-1", "m-2", "m-4", "m-5", "m-6", "m-7"]
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
        assert await _ids(rig) == ["m-1", "a-1"]
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
        await rig.conversations.append(_ID, [user_message(at=START + _SECOND)])
        await rig.conversations.append(_ID, [user_message("m-2", at=START - _SECOND)])
        assert (await rig.conversations.show(_ID)).conversation.updated_at == START + _SECOND

    @proves("LeaseLostError: The lease was taken by another holder, or released.")
    async def test_append_with_a_lost_lease_stores_nothing(self, rig: ConversationStoreRig) -> None:
        await rig.conversations.start(conversation_of())
        late = await rig.lanes.acquire(api_lane(), owner="worker-1", seconds=LEASE)
        await rig.advance(LEASE + 1)
        lease = await rig.lanes.acquire(api_lane(), owner="worker-2", seconds=LEASE)
        with pytest.raises(LeaseLostError):
            await rig.conversations.append(_ID, [user_message()], lease=late, client_managed=True)
        await rig.conversations.append(_ID, [user_message("m-2")], lease=lease)
        assert await _ids(rig) == ["m-2"]
        assert not (await rig.conversations.show(_ID)).conversation.client_managed

    @proves("With `release`, the lease ends with the write, as `Lanes.release` ends it.")
    async def test_append_ends_its_lease(self, rig: ConversationStoreRig) -> None:
        await rig.conversations.start(conversation_of())
        lease = await rig.lanes.acquire(api_lane(), owner="worker-1", seconds=LEASE)
        await rig.conversations.append(_ID, [user_message()], lease=lease, release=True)
        assert await _ids(rig) == ["m-1"]
        again = await rig.lanes.acquire(api_lane(), owner="worker-2", seconds=LEASE)
        assert again is not None
        with pytest.raises(LeaseLostError):
            await rig.conversations.append(_ID, [user_message("m-2")], lease=lease, release=True)
        await rig.lanes.renew(again, seconds=LEASE)
        assert await _ids(rig) == ["m-1"]

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
        assert await _ids(rig) == ["m-2", "m-3"]
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
        assert await _ids(rig) == ["a-1"]
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

    @proves(
        "UnknownConversationError: The conversation doesn't exist, or was deleted.",
        "UnknownConversationError: The conversation doesn't exist.",
    )
    async def test_unknown_conversation_is_reported(self, rig: ConversationStoreRig) -> None:
        with pytest.raises(UnknownConversationError):
            await rig.conversations.append(_ID, [user_message()])
        with pytest.raises(UnknownConversationError):
            await rig.conversations.show(_ID)

    async def test_concurrent_appends_are_all_stored(self, rig: ConversationStoreRig) -> None:
        await rig.conversations.start(conversation_of())
        await asyncio.gather(*(rig.conversations.append(_ID, [message]) for message in messages_of(20)))
        assert len(await _ids(rig)) == 20
        assert (await rig.conversations.show(_ID)).conversation.messages == 20

    @proves(
        "Returns the conversations that match, the latest updated first, then by id; `total` ignores the page.",
    )
    async def test_list_orders_by_update_and_pages(self, rig: ConversationStoreRig) -> None:
        for number, seconds in enumerate((1, 3, 2, 3)):
            await rig.conversations.start(
                conversation_of(f"c-{number}", f"lane-{number}", updated_at=START + seconds * _SECOND)
            )
        await rig.conversations.start(conversation_of("other", "lane-9", instance=OTHER_BOT))
        query = ConversationFilter(instance=BOT)
        page = await rig.conversations.list(query, limit=9)
        assert ([each.id for each in page.conversations], page.total) == (["c-1", "c-3", "c-2", "c-0"], 4)
        page = await rig.conversations.list(query, limit=2, offset=1)
        assert ([each.id for each in page.conversations], page.total) == (["c-3", "c-2"], 4)

    @proves(
        "Returns the conversations that match, the latest updated first, then by id; `total` ignores the page.",
    )
    async def test_list_applies_each_condition(self, rig: ConversationStoreRig) -> None:
        await rig.conversations.start(conversation_of("c-1", "lane-1", channel="fake", user="hash"))
        await rig.conversations.start(conversation_of("c-2", "lane-2", updated_at=START + _SECOND))
        await rig.conversations.append(
            ConversationId("c-2"),
            [
                user_message("m-1", answered=False),
                assistant_message(turn=TurnId("turn-9"), tools=("calculate", "http_request")),
            ],
        )

        async def found(**fields: object) -> list[str]:
            query = ConversationFilter(instance=BOT, **fields)  # type: ignore[arg-type]
            page = await rig.conversations.list(query, limit=9)
            assert page.total == len(page.conversations)
            return [each.id for each in page.conversations]

        assert await found(channel="fake") == await found(user="hash") == ["c-1"]
        assert await found(channel="api") == ["c-2"]
        assert await found(channel="api", user="hash") == []
        assert await found(since=START + _SECOND) == ["c-2"]
        assert await found(until=START + _SECOND) == ["c-1"]
        assert await found(unanswered=True) == ["c-2"]
        assert await found(unanswered=False) == ["c-1"]
        assert await found(text="c-") == ["c-2", "c-1"]
        for text in ("c-2", "turn-9", "http_request", "calculate"):
            assert await found(text=text) == ["c-2"]
        for text in ("-2", "turn", "http", "calculat_", "%", "_-2", "ciphertext", "a\0b"):
            assert await found(text=text) == []
        assert await found(channel="a\0b") == await found(user="\0") == []

    @proves(
        "Deletes one batch of the selected conversations, at most `limit` messages, and returns what it removed.",
        "With the last message of a conversation its data key is deleted, with its deliveries, and with "
        "its lane if that is free and has no events.",
    )
    async def test_delete_removes_one_conversation(self, rig: ConversationStoreRig) -> None:
        await rig.conversations.start(conversation_of())
        await rig.conversations.start(conversation_of("conversation-2", "lane-2"))
        await rig.conversations.append(_ID, messages_of(2))
        deleted = await rig.conversations.delete(ConversationSelection(instance=BOT, conversation=_ID), limit=9)
        assert (sorted(deleted.messages), deleted.conversations, deleted.complete) == (["m-1", "m-2"], (_ID,), True)
        assert await rig.conversations.current(_LANE, newest=9) is None
        assert (await rig.conversations.list(ConversationFilter(instance=BOT), limit=9)).total == 1
        assert (await rig.conversations.start(conversation_of("conversation-3"))).id == "conversation-3"

    @proves(
        "With the last message of a conversation its data key is deleted, with its deliveries, and with "
        "its lane if that is free and has no events.",
    )
    async def test_deliveries_and_free_lane_go_with_the_conversation(self, rig: ConversationStoreRig) -> None:
        await rig.conversations.start(conversation_of())
        await leased_and_released(rig)
        work = await loaded(rig, event_of(lane=lane_of("lane-2")))
        await finished(rig, work, "chunk", conversation=_ID, messages=(user_message(),))
        await rig.conversations.delete(ConversationSelection(instance=BOT, conversation=_ID), limit=9)
        assert (await rig.outbox.list(DeliveryFilter(), limit=9)).total == 0
        assert await rig.maintenance.count_keys("master-1") == 0
        assert await is_new_lane(rig)

    @proves("Unknown ids delete nothing.")
    async def test_delete_of_another_instances_conversation_removes_nothing(self, rig: ConversationStoreRig) -> None:
        await rig.conversations.start(conversation_of())
        for selection in (
            ConversationSelection(instance=OTHER_BOT, conversation=_ID),
            ConversationSelection(instance=OTHER_BOT),
            ConversationSelection(instance=BOT, user="nobody"),
        ):
            deleted = await rig.conversations.delete(selection, limit=9)
            assert (deleted.conversations, deleted.complete) == ((), True)
        assert await _ids(rig) == []

    @proves(
        "Deletes one batch of the selected conversations, at most `limit` messages, and returns what it removed.",
    )
    async def test_delete_works_in_batches(self, rig: ConversationStoreRig) -> None:
        await rig.conversations.start(conversation_of())
        await rig.conversations.append(_ID, messages_of(5))
        selection = ConversationSelection(instance=BOT)
        batches = [await rig.conversations.delete(selection, limit=2) for _ in range(3)]
        assert [(len(each.messages), each.complete) for each in batches] == [(2, False), (2, False), (1, True)]
        assert [each.conversations for each in batches] == [(), (), (_ID,)]

    @proves(
        "Deleting all conversations of a user or an instance also deletes their events, deliveries and "
        "free lanes, and the user's messages in the conversations of others, by their sender.",
    )
    async def test_deletion_of_a_user_covers_events_deliveries_and_turns_in_groups(
        self, rig: ConversationStoreRig
    ) -> None:
        private, group = lane_of("lane-1", user="hash"), lane_of("lane-2")
        await rig.conversations.start(conversation_of("private", "lane-1", user="hash"))
        await rig.conversations.start(conversation_of("group", "lane-2"))
        await rig.conversations.append(ConversationId("private"), [user_message("m-1"), assistant_message()])
        mine = {"turn": TurnId("turn-2")}
        await rig.conversations.append(
            ConversationId("group"),
            [
                user_message("g-1", sender="hash", **mine),
                assistant_message("g-2", sender="hash", **mine),
                user_message("g-3", sender="other", turn=TurnId("turn-3")),
            ],
        )
        work = await loaded(rig, event_of("e-1", private, user="hash"))
        await finished(rig, work, "chunk", conversation=ConversationId("private"))
        await rig.lanes.release(work.lease, again=True)
        await rig.inbox.receive([event_of("e-2", group, user="hash"), event_of("e-3", group, user="other")])
        deleted = await rig.conversations.delete(ConversationSelection(instance=BOT, user="hash"), limit=99)
        assert deleted.complete
        assert deleted.conversations == ("private",)
        assert sorted(deleted.messages) == ["a-1", "g-1", "g-2", "m-1"]
        kept = await rig.conversations.show(ConversationId("group"))
        assert [message.id for message in kept.messages] == ["g-3"]
        assert [event.event_id for event in (await rig.inbox.list(EventFilter(), limit=9)).events] == ["e-3"]
        assert (await rig.outbox.list(DeliveryFilter(), limit=9)).total == 0

    @proves(
        "Deleting all conversations of a user or an instance also deletes their events, deliveries and "
        "free lanes, and the user's messages in the conversations of others, by their sender.",
    )
    async def test_deletion_of_an_instance_leaves_nothing(self, rig: ConversationStoreRig) -> None:
        await rig.conversations.start(conversation_of())
        work = await loaded(rig)
        await finished(rig, work, "chunk", conversation=_ID, messages=(user_message(), assistant_message()))
        await rig.inbox.receive([event_of("e-2")])
        await rig.conversations.delete(ConversationSelection(instance=BOT), limit=99)
        assert (await rig.inbox.list(EventFilter(), limit=9)).total == 0
        assert (await rig.outbox.list(DeliveryFilter(), limit=9)).total == 0
        assert await rig.conversations.current(_LANE, newest=9) is None


class ConversationRepoOutageContract(ConversationStoreOutageContract):
    """The additional tests for a ConversationRepo whose store can fail; subclasses provide the rig."""

    @proves("Every method raises `StorageUnavailableError` if the store is unavailable.")
    async def test_conversations_report_unavailable_store(self, unavailable: ConversationStoreRig) -> None:
        conversations = unavailable.conversations
        with pytest.raises(StorageUnavailableError):
            await conversations.current(_LANE, newest=9)
        with pytest.raises(StorageUnavailableError):
            await conversations.start(conversation_of())
        with pytest.raises(StorageUnavailableError):
            await conversations.append(_ID, [user_message()])
        with pytest.raises(StorageUnavailableError):
            await conversations.list(ConversationFilter(instance=BOT), limit=9)
        with pytest.raises(StorageUnavailableError):
            await conversations.show(_ID)
        with pytest.raises(StorageUnavailableError):
            await conversations.delete(ConversationSelection(instance=BOT), limit=9)
