"""The contract of the port ConversationMaintenance."""

from datetime import date, timedelta

import msgspec
import pytest

from polyant.domain.conversations import (
    INDEX_DAY,
    ConversationFilter,
    ConversationId,
    KeyKind,
    KeyReplacement,
    LaneId,
    TurnId,
    WrappedKey,
)
from polyant.domain.errors import StorageUnavailableError, UnknownConversationError
from polyant.domain.lane_work import DeliveryFilter, DeliveryState, EventFilter, EventState, SendResult
from polyant.domain.ports.conversation_maintenance import ConversationMaintenance
from polyant.testing.contract import proves
from polyant.testing.conversation_store import (
    BOT,
    LEASE,
    OTHER_BOT,
    ConversationStoreContract,
    ConversationStoreOutageContract,
    ConversationStoreRig,
    api_lane,
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
from polyant.testing.manual_clock import START

_ID = ConversationId("conversation-1")
_SECOND = timedelta(seconds=1)
_DAY = timedelta(days=1)
_TODAY = START.date()


def ingest_key(day: date) -> WrappedKey:
    """Returns the wrapped key of a day."""
    return WrappedKey(kind=KeyKind.INGEST, id=day.isoformat(), key=f"ingest key of {day}", wrapped_by="master-1")


async def _received_at_end(rig: ConversationStoreRig) -> dict[str, object]:
    """Returns times before which all events count as old."""
    page = await rig.inbox.list(EventFilter(), limit=1)
    later = page.events[0].received_at + _DAY
    return {"finished_before": later, "dead_before": later}


class ConversationMaintenanceContract(ConversationStoreContract):
    """The tests that every ConversationMaintenance must pass; subclasses provide the rig."""

    def test_implements_the_port(self, rig: ConversationStoreRig) -> None:
        assert isinstance(rig.maintenance, ConversationMaintenance)

    @proves("Deletes messages older than a time, at most `limit`, and returns what it removed.")
    async def test_old_messages_expire_in_batches(self, rig: ConversationStoreRig) -> None:
        await rig.conversations.start(conversation_of())
        messages = messages_of(5, answered=False)
        await rig.conversations.append(_ID, messages)
        left = [each.id for each in messages]
        for count, is_complete in ((2, False), (1, True)):
            deleted = await rig.maintenance.expire_messages(START + 4 * _SECOND, limit=2)
            assert (len(deleted.messages), deleted.conversations, deleted.complete) == (count, (), is_complete)
            left = [each for each in left if each not in deleted.messages]
            assert await message_ids(rig) == left
        assert left == ["m-4", "m-5"]
        found = (await rig.conversations.show(_ID)).conversation
        assert (found.messages, found.unanswered, found.updated_at) == (2, 2, messages[-1].at)

    @proves(
        "With its last message, a conversation is deleted, with its data key and its deliveries, and its"
        " lane if that is free and has no events.",
    )
    async def test_conversation_goes_with_its_last_message(self, rig: ConversationStoreRig) -> None:
        await rig.conversations.start(conversation_of())
        await rig.conversations.append(_ID, [user_message()])
        deleted = await rig.maintenance.expire_messages(START + _SECOND, limit=9)
        assert (deleted.messages, deleted.conversations, deleted.complete) == (("m-1",), (_ID,), True)
        with pytest.raises(UnknownConversationError):
            await rig.conversations.show(_ID)
        assert await rig.maintenance.count_keys("master-1") == 0
        assert await rig.conversations.current(LaneId("lane-1"), newest=9) is None

    @proves(
        "With its last message, a conversation is deleted, with its data key and its deliveries, and its"
        " lane if that is free and has no events.",
    )
    async def test_deliveries_and_free_lane_go_with_the_conversation(self, rig: ConversationStoreRig) -> None:
        await rig.conversations.start(conversation_of())
        await leased_and_released(rig)
        work = await loaded(rig, event_of(lane=lane_of("lane-2")))
        await finished(rig, work, "chunk", conversation=_ID, messages=(user_message(),))
        await rig.maintenance.expire_messages(START + _SECOND, limit=9)
        assert (await rig.outbox.list(DeliveryFilter(), limit=9)).total == 0
        assert await is_new_lane(rig)

    @proves("A conversation without messages expires by the time of its update.")
    async def test_conversation_without_messages_expires(self, rig: ConversationStoreRig) -> None:
        await rig.conversations.start(conversation_of(updated_at=START + _SECOND))
        assert (await rig.maintenance.expire_messages(START + _SECOND, limit=9)).conversations == ()
        assert (await rig.maintenance.expire_messages(START + 2 * _SECOND, limit=9)).conversations == (_ID,)
        assert (await rig.conversations.list(ConversationFilter(instance=BOT), limit=9)).total == 0

    @proves("Deletes messages older than a time, at most `limit`, and returns what it removed.")
    async def test_complete_expiry_leaves_nothing_old(self, rig: ConversationStoreRig) -> None:
        """In conversations with and without messages, of every instance."""
        for number in range(5):
            await rig.conversations.start(conversation_of(f"empty-{number}", f"empty-{number}"))
        for number, instance in enumerate((BOT, BOT, OTHER_BOT)):
            name = f"full-{number}"
            await rig.conversations.start(conversation_of(name, name, instance=instance))
            await rig.conversations.append(ConversationId(name), [user_message(name, turn=TurnId(name))])
        batches = [await rig.maintenance.expire_messages(START + _SECOND, limit=2)]
        while not batches[-1].complete and len(batches) < 9:
            batches.append(await rig.maintenance.expire_messages(START + _SECOND, limit=2))
        assert sorted(each for batch in batches for each in batch.messages) == ["full-0", "full-1", "full-2"]
        assert len({each for batch in batches for each in batch.conversations}) == 8
        for instance in (BOT, OTHER_BOT):
            assert (await rig.conversations.list(ConversationFilter(instance=instance), limit=9)).total == 0

    @proves(
        "With its last message, a conversation is deleted, with its data key and its deliveries, and its"
        " lane if that is free and has no events.",
    )
    async def test_expiry_of_a_conversation_keeps_the_rest_of_its_lane(self, rig: ConversationStoreRig) -> None:
        """Its current conversation, that one's deliveries, and its lease."""
        await rig.conversations.start(conversation_of(channel="fake"))
        await rig.conversations.append(_ID, [user_message()])
        current = ConversationId("conversation-2")
        await rig.conversations.start(conversation_of(current, channel="fake"), replaces=_ID)
        work = await loaded(rig)
        message = user_message("m-2", at=START + _SECOND)
        deliveries = await finished(rig, work, "chunk", conversation=current, messages=(message,))
        assert (await rig.maintenance.expire_messages(START + _SECOND, limit=9)).conversations == (_ID,)
        found = await rig.conversations.current(LaneId("lane-1"), newest=9)
        assert found is not None
        assert (found.conversation.id, [each.id for each in found.messages]) == (current, ["m-2"])
        kept = (await rig.outbox.list(DeliveryFilter(), limit=9)).deliveries
        assert [each.id for each in kept] == [each.id for each in deliveries]
        await rig.lanes.renew(work.lease, seconds=LEASE)

    async def test_leased_lane_stays_without_its_conversation(self, rig: ConversationStoreRig) -> None:
        await rig.conversations.start(conversation_of())
        lease = await rig.lanes.acquire(api_lane(), owner="worker-1", seconds=LEASE)
        assert lease is not None
        await rig.maintenance.expire_messages(START + _SECOND, limit=9)
        assert await rig.conversations.current(LaneId("lane-1"), newest=9) is None
        await rig.lanes.renew(lease, seconds=LEASE)

    async def test_lane_with_work_stays_without_its_conversation(self, rig: ConversationStoreRig) -> None:
        await rig.inbox.receive([event_of()])
        await rig.conversations.start(conversation_of(channel="fake"))
        await rig.maintenance.expire_messages(START + _SECOND, limit=9)
        lease = await claimed(rig)
        assert lease.conversation is None
        assert len((await rig.inbox.load(lease, limit=9)).events) == 1

    @proves(
        "Deletes finished events, settled deliveries, and old dead events; returns False if more is left.",
        "An event is deleted if it was received before `finished_before` and is finished, or before "
        "`dead_before` and is dead.",
    )
    async def test_finished_events_and_deliveries_expire(self, rig: ConversationStoreRig) -> None:
        work = await loaded(rig)
        (delivery,) = await finished(rig, work, "chunk")
        await rig.outbox.record(delivery.id, SendResult(state=DeliveryState.SENT))
        await rig.lanes.release(work.lease)
        (event,) = (await rig.inbox.list(EventFilter(), limit=9)).events
        before = {"finished_before": event.received_at, "dead_before": event.received_at + _DAY}
        assert await rig.maintenance.expire_events(**before, limit=9)
        assert (await rig.inbox.list(EventFilter(), limit=9)).total == 1
        before = {"finished_before": event.received_at + _DAY, "dead_before": event.received_at}
        assert await rig.maintenance.expire_events(**before, limit=9)
        assert (await rig.inbox.list(EventFilter(), limit=9)).total == 0
        assert (await rig.outbox.list(DeliveryFilter(), limit=9)).total == 0
        assert await rig.inbox.receive([event_of()]) == (True,)

    @proves(
        "An event is deleted if it was received before `finished_before` and is finished, or before "
        "`dead_before` and is dead.",
    )
    async def test_dead_events_expire_by_a_time_of_their_own(self, rig: ConversationStoreRig) -> None:
        work = await loaded(rig)
        await finished(rig, work, state=EventState.DEAD)
        (event,) = (await rig.inbox.list(EventFilter(), limit=9)).events
        before = {"finished_before": event.received_at + _DAY, "dead_before": event.received_at}
        await rig.maintenance.expire_events(**before, limit=9)
        assert (await rig.inbox.list(EventFilter(), limit=9)).total == 1
        before = {"finished_before": event.received_at, "dead_before": event.received_at + _DAY}
        await rig.maintenance.expire_events(**before, limit=9)
        assert (await rig.inbox.list(EventFilter(), limit=9)).total == 0

    async def test_open_events_and_deliveries_never_expire(self, rig: ConversationStoreRig) -> None:
        work = await loaded(rig, event_of("e-1"), event_of("e-2"), limit=1)
        await finished(rig, work, "chunk")
        assert await rig.maintenance.expire_events(**await _received_at_end(rig), limit=9)  # type: ignore[arg-type]
        assert [event.event_id for event in (await rig.inbox.list(EventFilter(), limit=9)).events] == ["e-2"]
        assert (await rig.outbox.list(DeliveryFilter(), limit=9)).total == 1

    @proves("Deletes finished events, settled deliveries, and old dead events; returns False if more is left.")
    async def test_events_expire_in_batches(self, rig: ConversationStoreRig) -> None:
        work = await loaded(rig, *(event_of(f"e-{number}") for number in range(5)))
        await finished(rig, work)
        before = await _received_at_end(rig)
        for left in (3, 1, 0):
            assert await rig.maintenance.expire_events(**before, limit=2) == (left == 0)  # type: ignore[arg-type]
            assert (await rig.inbox.list(EventFilter(), limit=9)).total == left

    @proves("Deletes finished events, settled deliveries, and old dead events; returns False if more is left.")
    async def test_deliveries_expire_in_batches(self, rig: ConversationStoreRig) -> None:
        work = await loaded(rig)
        for delivery in await finished(rig, work, *"chunk"):
            await rig.outbox.record(delivery.id, SendResult(state=DeliveryState.SENT))
        before = await _received_at_end(rig)
        for left in (3, 1, 0):
            assert await rig.maintenance.expire_events(**before, limit=2) == (left == 0)  # type: ignore[arg-type]
            assert (await rig.outbox.list(DeliveryFilter(), limit=9)).total == left

    @proves("Deliveries count by the time of their creation: sent and failed ones as finished, unknown ones as dead.")
    async def test_deliveries_expire_by_their_creation_and_their_state(self, rig: ConversationStoreRig) -> None:
        work = await loaded(rig)
        states = (DeliveryState.SENT, DeliveryState.FAILED, DeliveryState.UNKNOWN)
        deliveries = await finished(rig, work, "a", "b", "c")
        await rig.advance(LEASE / 2)
        for delivery, state in zip(deliveries, states, strict=True):
            await rig.outbox.record(delivery.id, SendResult(state=state))
        created = (await rig.outbox.list(DeliveryFilter(), limit=9)).deliveries[0].created_at
        late, early = created + timedelta(seconds=LEASE / 4), created - _DAY
        for finished_before, dead_before, left in (
            (early, early, {*states}),
            (late, early, {DeliveryState.UNKNOWN}),
            (late, late, set[DeliveryState]()),
        ):
            assert await rig.maintenance.expire_events(
                finished_before=finished_before, dead_before=dead_before, limit=9
            )
            kept = (await rig.outbox.list(DeliveryFilter(), limit=9)).deliveries
            assert {each.state for each in kept} == left

    @proves(
        "An event is deleted if it was received before `finished_before` and is finished, or before "
        "`dead_before` and is dead.",
    )
    async def test_expiry_of_events_keeps_lanes_in_use(self, rig: ConversationStoreRig) -> None:
        """Those with a holder, a conversation, or open work."""
        held = await rig.lanes.acquire(api_lane(), owner="worker-1", seconds=LEASE)
        assert held is not None
        await rig.conversations.start(conversation_of(lane="lane-2"))
        await rig.inbox.receive([event_of(lane=lane_of("lane-3"))])
        assert await rig.maintenance.expire_events(**await _received_at_end(rig), limit=9)  # type: ignore[arg-type]
        await rig.lanes.renew(held, seconds=LEASE)
        assert await rig.conversations.current(LaneId("lane-2"), newest=9) is not None
        assert (await claimed(rig)).lane.id == "lane-3"

    @proves("A correct store finds none.")
    async def test_healthy_store_needs_no_healing(self, rig: ConversationStoreRig) -> None:
        await rig.inbox.receive([event_of("e-1"), event_of("e-2", lane_of("lane-2"))])
        work = await rig.inbox.load(await claimed(rig), limit=9)
        assert await rig.maintenance.heal() == ()
        await finished(rig, work, "chunk")
        await rig.lanes.release(work.lease, again=True)
        assert await rig.maintenance.heal() == ()

    @proves("Makes lanes due that have open events or deliveries but would never be claimed, and returns them.")
    async def test_lane_that_was_released_with_open_work_is_healed(self, rig: ConversationStoreRig) -> None:
        work = await loaded(rig)
        await rig.lanes.release(work.lease)
        assert await rig.maintenance.heal() == ("lane-1",)
        assert len((await rig.inbox.load(await claimed(rig), limit=9)).events) == 1
        work = await loaded(rig, event_of("e-2", lane_of("lane-2")))
        await finished(rig, work, "chunk")
        await rig.lanes.release(work.lease)
        assert await rig.maintenance.heal() == ("lane-2",)

    @proves("Makes lanes due that have open events or deliveries but would never be claimed, and returns them.")
    async def test_lane_with_unsent_chunks_is_healed(self, rig: ConversationStoreRig) -> None:
        work = await loaded(rig)
        first, second = await finished(rig, work, "a", "b")
        await rig.outbox.record(first.id, SendResult(state=DeliveryState.SENT))
        await rig.lanes.release(work.lease)
        assert await rig.maintenance.heal() == ("lane-1",)
        assert [each.id for each in (await rig.inbox.load(await claimed(rig), limit=9)).deliveries] == [second.id]

    @proves("A correct store finds none.")
    async def test_lane_without_open_work_needs_no_healing(self, rig: ConversationStoreRig) -> None:
        """Its events are finished or dead, and its chunks are settled."""
        for number, state in enumerate((EventState.ANSWERED, EventState.DEAD)):
            work = await loaded(rig, event_of(f"e-{number}"))
            (delivery,) = await finished(rig, work, "chunk", state=state, turn=TurnId(f"turn-{number}"))
            await rig.outbox.record(delivery.id, SendResult(state=DeliveryState.FAILED))
            await rig.lanes.release(work.lease)
        assert await rig.maintenance.heal() == ()
        assert await rig.lanes.claim(owner="worker-1", seconds=LEASE) is None

    @proves(
        "Returns data keys that another master key than the current one wraps, at most `limit`.",
        "Stores re-wrapped data keys, and returns how many; a key that has changed since it was read is left alone.",
        "Returns the number of data keys that this master key wraps.",
    )
    async def test_outdated_keys_are_replaced(self, rig: ConversationStoreRig) -> None:
        await rig.conversations.start(conversation_of())
        await rig.conversations.start(conversation_of("conversation-2", "lane-2", wrapped_by="master-2"))
        draft = WrappedKey(kind=KeyKind.INGEST, id="2026-11-22", key="ingest key", wrapped_by="master-1")
        await rig.inbox.ingest_key(date(2026, 11, 22), draft)
        outdated = await rig.maintenance.outdated_keys("master-2", limit=9)
        assert sorted(outdated, key=lambda key: key.kind) == [
            WrappedKey(kind=KeyKind.CONVERSATION, id=_ID, key=f"wrapped key of {_ID}", wrapped_by="master-1"),
            draft,
        ]
        assert len(await rig.maintenance.outdated_keys("master-2", limit=1)) == 1
        assert [each.id for each in await rig.maintenance.outdated_keys("master-1", limit=9)] == ["conversation-2"]
        assert await rig.maintenance.count_keys("master-1") == 2
        changes = [
            KeyReplacement(old, msgspec.structs.replace(old, key=f"new {old.key}", wrapped_by="master-2"))
            for old in outdated
        ]
        assert await rig.maintenance.replace_keys(changes) == 2
        assert await rig.maintenance.outdated_keys("master-2", limit=9) == ()
        assert [await rig.maintenance.count_keys(f"master-{number}") for number in (1, 2)] == [0, 3]
        assert (await rig.conversations.show(_ID)).conversation.data_key == f"new wrapped key of {_ID}"
        found = await rig.inbox.ingest_key(date(2026, 11, 22))
        assert found is not None
        assert found.key == "new ingest key"
        assert await rig.maintenance.replace_keys(changes) == 0

    @proves(
        "Stores re-wrapped data keys, and returns how many; a key that has changed since it was read is left alone.",
    )
    async def test_key_that_changed_meanwhile_is_left_alone(self, rig: ConversationStoreRig) -> None:
        """The others of the call are replaced, and nothing else of their conversations changes."""
        before = await rig.conversations.start(conversation_of())
        await rig.conversations.start(conversation_of("conversation-2", "lane-2"))
        await rig.inbox.ingest_key(_TODAY, ingest_key(_TODAY))
        changes = []
        for old in await rig.maintenance.outdated_keys("master-2", limit=9):
            new = msgspec.structs.replace(old, key="new", wrapped_by="master-2")
            known = old if old.id == _ID else msgspec.structs.replace(old, key="stale")
            changes += [KeyReplacement(known, new), KeyReplacement(msgspec.structs.replace(old, id="nobody"), new)]
        assert await rig.maintenance.replace_keys(changes) == 1
        after = msgspec.structs.replace(before, data_key="new", wrapped_by="master-2")
        assert (await rig.conversations.show(_ID)).conversation == after
        other = (await rig.conversations.show(ConversationId("conversation-2"))).conversation
        assert other.data_key == "wrapped key of conversation-2"
        assert await rig.inbox.ingest_key(_TODAY) == ingest_key(_TODAY)

    @proves(
        "Ingest keys of days before `finished_before` that no stored ciphertext can need, and lanes that"
        " are free and empty, go with them.",
    )
    async def test_ingest_key_goes_with_the_events_of_its_day(self, rig: ConversationStoreRig) -> None:
        """An event can need the key of the day before, which was read before midnight."""
        work = await loaded(rig)
        (event,) = (await rig.inbox.list(EventFilter(), limit=9)).events
        day = event.received_at.date()
        days = (INDEX_DAY, day + 2 * _DAY, day, day - _DAY, day - 2 * _DAY)
        for each in days:
            await rig.inbox.ingest_key(each, ingest_key(each))
        before = {"finished_before": event.received_at + 2 * _DAY, "dead_before": event.received_at + 2 * _DAY}
        await rig.maintenance.expire_events(**before, limit=9)
        assert [each for each in days if await rig.inbox.ingest_key(each)] == [*days[:4]]
        await finished(rig, work)
        await rig.lanes.release(work.lease)
        await rig.maintenance.expire_events(**before, limit=9)
        assert [each for each in days if await rig.inbox.ingest_key(each)] == [*days[:2]]
        assert await is_new_lane(rig)

    @proves(
        "Ingest keys of days before `finished_before` that no stored ciphertext can need, and lanes that"
        " are free and empty, go with them.",
    )
    async def test_ingest_key_stays_while_ciphertexts_need_it(self, rig: ConversationStoreRig) -> None:
        """A dead event keeps its payload, and a chunk its text until it is sent."""
        dead, answered = event_of("e-1", lane_of("lane-1")), event_of("e-2", lane_of("lane-2"))
        await finished(rig, await loaded(rig, dead), state=EventState.DEAD)
        (received,) = (await rig.inbox.list(EventFilter(), limit=9)).events
        day, later = received.received_at.date(), received.received_at + 2 * _DAY
        await rig.inbox.ingest_key(day, ingest_key(day))
        await rig.maintenance.expire_events(finished_before=later, dead_before=received.received_at, limit=9)
        assert await rig.inbox.ingest_key(day) is not None
        (chunk,) = await finished(rig, await loaded(rig, answered), "chunk", turn=TurnId("turn-2"))
        await rig.maintenance.expire_events(finished_before=later, dead_before=later, limit=9)
        assert (await rig.inbox.list(EventFilter(), limit=9)).total == 0
        assert await rig.inbox.ingest_key(day) is not None
        await rig.outbox.record(chunk.id, SendResult(state=DeliveryState.SENT))
        await rig.maintenance.expire_events(finished_before=later, dead_before=later, limit=9)
        assert await rig.inbox.ingest_key(day) is None


class ConversationMaintenanceOutageContract(ConversationStoreOutageContract):
    """The additional tests for a store that can fail; subclasses provide a rig with an unavailable one."""

    @proves("Every method raises `StorageUnavailableError` if the store is unavailable, and can be repeated.")
    async def test_maintenance_reports_unavailable_store(self, unavailable: ConversationStoreRig) -> None:
        maintenance = unavailable.maintenance
        with pytest.raises(StorageUnavailableError):
            await maintenance.expire_messages(START, limit=9)
        with pytest.raises(StorageUnavailableError):
            await maintenance.expire_events(finished_before=START, dead_before=START, limit=9)
        with pytest.raises(StorageUnavailableError):
            await maintenance.heal()
        with pytest.raises(StorageUnavailableError):
            await maintenance.outdated_keys("master-1", limit=9)
        with pytest.raises(StorageUnavailableError):
            await maintenance.count_keys("master-1")
        key = WrappedKey(kind=KeyKind.INGEST, id="2026-11-22", key="ingest key", wrapped_by="master-1")
        with pytest.raises(StorageUnavailableError):
            await maintenance.replace_keys([KeyReplacement(key, key)])
