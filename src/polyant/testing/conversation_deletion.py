"""The contract of ConversationRepo.delete."""

from polyant.domain.conversations import (
    ConversationFilter,
    ConversationId,
    ConversationSelection,
    LaneId,
    TurnId,
)
from polyant.domain.instances import InstanceId
from polyant.domain.lane_work import DeliveryFilter, EventFilter
from polyant.testing.contract import proves
from polyant.testing.conversation_store import (
    BOT,
    LEASE,
    OTHER_BOT,
    ConversationStoreContract,
    ConversationStoreRig,
    api_lane,
    assistant_message,
    claimed,
    conversation_of,
    event_of,
    finished,
    is_new_lane,
    lane_of,
    leased_and_released,
    loaded,
    message_ids,
    messages_of,
    user_message,
)

_LANE = LaneId("lane-1")
_ID = ConversationId("conversation-1")
_OTHER = ConversationId("conversation-2")


class ConversationDeletionContract(ConversationStoreContract):
    """The tests of deletion that every ConversationRepo must pass; subclasses provide the rig."""

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
        assert await message_ids(rig) == []

    @proves(
        "Deletes one batch of the selected conversations, at most `limit` messages, and returns what it removed.",
    )
    async def test_delete_works_in_batches(self, rig: ConversationStoreRig) -> None:
        await rig.conversations.start(conversation_of())
        await rig.conversations.append(_ID, messages_of(5))
        updated_at = (await rig.conversations.show(_ID)).conversation.updated_at
        selection, left = ConversationSelection(instance=BOT), {each.id for each in messages_of(5)}
        for count, emptied in ((2, ()), (2, ()), (1, (_ID,))):
            deleted = await rig.conversations.delete(selection, limit=2)
            assert (len(deleted.messages), deleted.conversations) == (count, emptied)
            assert deleted.complete == bool(emptied)
            left -= {*deleted.messages}
            if left:
                history = await rig.conversations.show(_ID)
                assert {each.id for each in history.messages} == left
                assert (history.conversation.messages, history.conversation.updated_at) == (len(left), updated_at)
        assert not left

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
        await rig.conversations.start(conversation_of("stranger", "lane-3", user="other"))
        await rig.conversations.append(ConversationId("private"), [user_message("m-1"), assistant_message()])
        mine = {"turn": TurnId("turn-2")}
        await rig.conversations.append(
            ConversationId("group"),
            [
                user_message("g-1", sender="hash", answered=False, **mine),
                assistant_message("g-2", sender="hash", **mine),
                user_message("g-3", sender="other", answered=False, turn=TurnId("turn-3")),
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
        assert (kept.conversation.messages, kept.conversation.unanswered) == (1, 1)
        assert (await rig.conversations.show(ConversationId("stranger"))).conversation.user == "other"
        assert [event.event_id for event in (await rig.inbox.list(EventFilter(), limit=9)).events] == ["e-3"]
        assert (await rig.outbox.list(DeliveryFilter(), limit=9)).total == 0
        assert await is_new_lane(rig)

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
        await rig.lanes.renew(work.lease, seconds=LEASE)

    @proves(
        "Deletes one batch of the selected conversations, at most `limit` messages, and returns what it removed.",
        "With the last message of a conversation its data key is deleted, with its deliveries, and with "
        "its lane if that is free and has no events.",
    )
    async def test_deletion_of_a_conversation_keeps_the_rest_of_its_lane(self, rig: ConversationStoreRig) -> None:
        """Its current conversation, that one's deliveries, its events and its lease."""
        await rig.conversations.start(conversation_of(channel="fake"))
        await rig.conversations.append(_ID, [user_message()])
        await rig.conversations.start(conversation_of(_OTHER, channel="fake"), replaces=_ID)
        work = await loaded(rig)
        deliveries = await finished(rig, work, "chunk", conversation=_OTHER, messages=(user_message("m-2"),))
        await rig.inbox.receive([event_of("e-2")])
        deleted = await rig.conversations.delete(ConversationSelection(instance=BOT, conversation=_ID), limit=9)
        assert (deleted.messages, deleted.conversations, deleted.complete) == (("m-1",), (_ID,), True)
        found = await rig.conversations.current(_LANE, newest=9)
        assert found is not None
        assert (found.conversation.id, [each.id for each in found.messages]) == (_OTHER, ["m-2"])
        kept = (await rig.outbox.list(DeliveryFilter(), limit=9)).deliveries
        assert [each.id for each in kept] == [each.id for each in deliveries]
        events = (await rig.inbox.list(EventFilter(), limit=9)).events
        assert [each.event_id for each in events] == ["e-2", "e-1"]
        await rig.lanes.renew(work.lease, seconds=LEASE)

    @proves(
        "With the last message of a conversation its data key is deleted, with its deliveries, and with "
        "its lane if that is free and has no events.",
    )
    async def test_lane_with_a_holder_or_events_outlives_its_conversation(self, rig: ConversationStoreRig) -> None:
        await rig.conversations.start(conversation_of())
        lease = await rig.lanes.acquire(api_lane(), owner="worker-1", seconds=LEASE)
        assert lease is not None
        await rig.inbox.receive([event_of(lane=lane_of("lane-2"))])
        await rig.conversations.start(conversation_of(_OTHER, "lane-2", channel="fake"))
        for conversation in (_ID, _OTHER):
            selection = ConversationSelection(instance=BOT, conversation=conversation)
            assert (await rig.conversations.delete(selection, limit=9)).conversations == (conversation,)
        await rig.lanes.renew(lease, seconds=LEASE)
        other = await claimed(rig)
        assert (other.lane.id, other.conversation) == ("lane-2", None)
        assert len((await rig.inbox.load(other, limit=9)).events) == 1

    @proves(
        "Deletes one batch of the selected conversations, at most `limit` messages, and returns what it removed.",
        "Deleting all conversations of a user or an instance also deletes their events, deliveries and "
        "free lanes, and the user's messages in the conversations of others, by their sender.",
    )
    async def test_complete_deletion_leaves_nothing(self, rig: ConversationStoreRig) -> None:
        """Whichever kind of data has the most rows."""
        selection = ConversationSelection(instance=BOT)
        for empty, count, events, chunks in ((5, 1, 1, 1), (0, 5, 1, 1), (0, 1, 5, 1), (0, 1, 1, 5)):
            for number in range(empty):
                await rig.conversations.start(conversation_of(f"empty-{number}", f"empty-{number}"))
            await rig.conversations.start(conversation_of(channel="fake"))
            work = await loaded(rig, *(event_of(f"e-{number}") for number in range(events)))
            await finished(rig, work, *"chunk"[:chunks], conversation=_ID, messages=tuple(messages_of(count)))
            await rig.lanes.release(work.lease)
            batches = [await rig.conversations.delete(selection, limit=2)]
            while not batches[-1].complete and len(batches) < 20:
                batches.append(await rig.conversations.delete(selection, limit=2))
            assert batches[-1].complete
            assert sum(len(each.conversations) for each in batches) == empty + 1
            assert (await rig.conversations.list(ConversationFilter(instance=BOT), limit=9)).total == 0
            assert (await rig.inbox.list(EventFilter(), limit=9)).total == 0
            assert (await rig.outbox.list(DeliveryFilter(), limit=9)).total == 0
            lease = await rig.lanes.acquire(lane_of(), owner="worker-1", seconds=LEASE)
            assert lease is not None
            assert lease.epoch == 1
            await rig.lanes.release(lease)
            await rig.conversations.start(conversation_of())
            await rig.conversations.delete(selection, limit=9)

    @proves(
        "Deleting all conversations of a user or an instance also deletes their events, deliveries and "
        "free lanes, and the user's messages in the conversations of others, by their sender.",
    )
    async def test_deletion_concerns_one_instance(self, rig: ConversationStoreRig) -> None:
        for name, instance in (("mine", BOT), ("other", OTHER_BOT)):
            await self._talk(rig, name, instance)
        for name, instance in (("mine", BOT), ("other", OTHER_BOT)):
            group = lane_of(f"{name}-group", instance=instance)
            await rig.inbox.receive([event_of(f"{name}-2", group, user="hash")])
        for user in ("hash", None):
            deleted = await rig.conversations.delete(ConversationSelection(instance=BOT, user=user), limit=99)
            assert not [each for each in deleted.messages if not each.startswith("mine")]
        page = await rig.conversations.list(ConversationFilter(instance=OTHER_BOT), limit=9)
        assert [each.id for each in page.conversations] == ["other-group", "other-private"]
        for each in page.conversations:
            assert await message_ids(rig, each.id) == [f"{each.id}-m"]
        events = (await rig.inbox.list(EventFilter(), limit=9)).events
        assert [each.event_id for each in events] == ["other-2", "other-1"]
        deliveries = (await rig.outbox.list(DeliveryFilter(), limit=9)).deliveries
        assert [each.instance for each in deliveries] == [OTHER_BOT]

    async def _talk(self, rig: ConversationStoreRig, name: str, instance: InstanceId) -> None:
        """Stores a user's private conversation with an open delivery, and one of a group with the user's message."""
        private = lane_of(f"{name}-private", instance=instance, user="hash")
        fields = {"instance": instance, "channel": "fake"}
        for kind, user in (("private", "hash"), ("group", None)):
            conversation = conversation_of(f"{name}-{kind}", f"{name}-{kind}", user=user, **fields)
            await rig.conversations.start(conversation)
            message = user_message(f"{conversation.id}-m", sender="hash", turn=TurnId(conversation.id))
            await rig.conversations.append(conversation.id, [message])
        work = await loaded(rig, event_of(f"{name}-1", private, user="hash"))
        await finished(
            rig, work, "chunk", conversation=ConversationId(f"{name}-private"), turn=TurnId(f"turn of {name}")
        )
