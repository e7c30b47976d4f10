"""The contract of the port ConversationMaintenance."""

from datetime import date, timedelta

import msgspec
import pytest

from polyant.domain.conversations import (
    ConversationFilter,
    ConversationId,
    KeyKind,
    KeyReplacement,
    LaneId,
    WrappedKey,
)
from polyant.domain.errors import StorageUnavailableError, UnknownConversationError
from polyant.domain.lane_work import DeliveryFilter, DeliveryState, EventFilter, EventState, SendResult
from polyant.domain.ports.conversation_maintenance import ConversationMaintenance
from polyant.testing.contract import proves
from polyant.testing.conversation_store import (
    BOT,
    ConversationStoreContract,
    ConversationStoreOutageContract,
    ConversationStoreRig,
    claimed,
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

_ID = ConversationId("conversation-1")
_SECOND = timedelta(seconds=1)
_DAY = timedelta(days=1)


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
        await rig.conversations.append(_ID, messages_of(5))
        batches = [await rig.maintenance.expire_messages(START + 4 * _SECOND, limit=2) for _ in range(2)]
        assert [(len(each.messages), each.conversations) for each in batches] == [(2, ()), (1, ())]
        assert batches[1].complete
        history = await rig.conversations.show(_ID)
        assert [message.id for message in history.messages] == ["m-4", "m-5"]
        assert history.conversation.messages == 2

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
        await rig.conversations.start(conversation_of())
        assert (await rig.maintenance.expire_messages(START, limit=9)).conversations == ()
        assert (await rig.maintenance.expire_messages(START + _SECOND, limit=9)).conversations == (_ID,)
        assert (await rig.conversations.list(ConversationFilter(instance=BOT), limit=9)).total == 0

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
        done = [await rig.maintenance.expire_events(**before, limit=2) for _ in range(3)]  # type: ignore[arg-type]
        assert done == [False, False, True]

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
        await rig.conversations.start(conversation_of())
        (old,) = await rig.maintenance.outdated_keys("master-2", limit=9)
        stale = msgspec.structs.replace(old, key="stale")
        unknown = msgspec.structs.replace(old, id="nobody")
        new = msgspec.structs.replace(old, key="new", wrapped_by="master-2")
        changes = [KeyReplacement(stale, new), KeyReplacement(unknown, new)]
        assert await rig.maintenance.replace_keys(changes) == 0
        assert (await rig.conversations.show(_ID)).conversation.data_key == old.key

    @proves(
        "Ingest keys of days before `finished_before` that no stored ciphertext can need, and lanes that"
        " are free and empty, go with them.",
    )
    async def test_ingest_key_goes_with_the_events_of_its_day(self, rig: ConversationStoreRig) -> None:
        work = await loaded(rig)
        (event,) = (await rig.inbox.list(EventFilter(), limit=9)).events
        day = event.received_at.date()
        draft = WrappedKey(kind=KeyKind.INGEST, id=day.isoformat(), key="ingest key", wrapped_by="master-1")
        await rig.inbox.ingest_key(day, draft)
        before = {"finished_before": event.received_at + 2 * _DAY, "dead_before": event.received_at + 2 * _DAY}
        await rig.maintenance.expire_events(**before, limit=9)
        assert await rig.inbox.ingest_key(day) == draft
        await finished(rig, work)
        await rig.lanes.release(work.lease)
        await rig.maintenance.expire_events(**before, limit=9)
        assert await rig.inbox.ingest_key(day) is None
        assert await is_new_lane(rig)


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
