"""The contract of the port Inbox."""

import asyncio
from datetime import date

import pytest

from polyant.domain.conversations import ConversationId, ConversationSelection, KeyKind, LaneId, TurnId, WrappedKey
from polyant.domain.errors import (
    LeaseLostError,
    StorageUnavailableError,
    UnknownConversationError,
    UnknownEventError,
)
from polyant.domain.lane_work import DeliveryState, EventFilter, EventId, EventState, SendResult, TurnResult
from polyant.domain.ports.inbox import Inbox
from polyant.testing.contract import proves
from polyant.testing.conversation_store import (
    BOT,
    LEASE,
    OTHER_BOT,
    ConversationStoreContract,
    ConversationStoreOutageContract,
    ConversationStoreRig,
    assistant_message,
    claimed,
    conversation_of,
    event_of,
    finished,
    ids_of,
    lane_of,
    lease_of,
    loaded,
    names_of,
    result_of,
    user_message,
)

_DAY = date(2026, 11, 22)


class InboxContract(ConversationStoreContract):
    """The tests that every Inbox must pass; subclasses provide the rig."""

    def test_implements_the_port(self, rig: ConversationStoreRig) -> None:
        assert isinstance(rig.inbox, Inbox)

    @proves("Payloads are ciphertext.")
    async def test_event_is_stored_unchanged(self, rig: ConversationStoreRig) -> None:
        assert await rig.inbox.receive([event_of("é🙂'", position=2**40, user="hash", payload="x" * 70_000)]) == (True,)
        (event,) = (await rig.inbox.list(EventFilter(), limit=9)).events
        assert (event.event_id, event.position, event.user, event.payload) == ("é🙂'", 2**40, "hash", "x" * 70_000)
        assert (event.lane, event.instance, event.channel, event.account) == ("lane-1", BOT, "fake", "acc")
        assert (event.state, event.attempts, event.error) == (EventState.OPEN, 0, None)

    @proves(
        "An event whose channel, account and event id are stored is a duplicate: it changes nothing, "
        "whatever its state.",
    )
    async def test_duplicate_changes_nothing(self, rig: ConversationStoreRig) -> None:
        events = [event_of("e-1"), event_of("e-2"), event_of("e-1", lane_of("lane-2"), payload="other")]
        assert await rig.inbox.receive(events) == (True, True, False)
        work = await rig.inbox.load(await claimed(rig), limit=20)
        assert (work.lease.wake, names_of(work)) == (2, ["e-1", "e-2"])
        await finished(rig, work)
        assert await rig.inbox.receive(events) == (False, False, False)
        await rig.lanes.release(work.lease)
        assert await rig.lanes.due_in() is None

    @proves(
        "An event whose channel, account and event id are stored is a duplicate: it changes nothing, "
        "whatever its state.",
    )
    async def test_event_ids_belong_to_channel_and_account(self, rig: ConversationStoreRig) -> None:
        lanes = [lane_of(), lane_of("l-2", account="other"), lane_of("l-3", channel="fake2")]
        assert await rig.inbox.receive([event_of("e-1", lane) for lane in lanes]) == (True, True, True)

    @proves("Stores events, and returns for each whether it is new.")
    async def test_event_ids_that_differ_little_are_told_apart(self, rig: ConversationStoreRig) -> None:
        """Platforms have ids of 100 characters and more, of which only the end differs."""
        names = [f"{'a' * 150}{end}" for end in ("b", "B", "c", "b ", "")]
        assert await rig.inbox.receive([event_of(name) for name in names]) == (True,) * 5
        assert names_of(await rig.inbox.load(await claimed(rig), limit=20)) == names

    @proves("Stores events, and returns for each whether it is new.")
    async def test_one_of_concurrent_deliveries_is_new(self, rig: ConversationStoreRig) -> None:
        results = await asyncio.gather(*(rig.inbox.receive([event_of()]) for _ in range(20)))
        assert sorted(results) == [(False,)] * 19 + [(True,)]

    @proves(
        "A new event makes its lane due after its `quiet` seconds of silence, but at most `longest_wait`"
        " seconds after the first event of the burst, and never before the end of a delay with which the"
        " lane was released.",
    )
    async def test_burst_is_due_after_silence(self, rig: ConversationStoreRig) -> None:
        await rig.inbox.receive([event_of("e-1", quiet=100, longest_wait=250)])
        await rig.advance(60)
        await rig.inbox.receive([event_of("e-2", quiet=100, longest_wait=250)])
        await rig.advance(60)
        assert await rig.lanes.claim(owner="worker-1", seconds=LEASE) is None
        await rig.advance(41)
        assert names_of(await rig.inbox.load(await claimed(rig), limit=20)) == ["e-1", "e-2"]

    @proves(
        "A new event makes its lane due after its `quiet` seconds of silence, but at most `longest_wait`"
        " seconds after the first event of the burst, and never before the end of a delay with which the"
        " lane was released.",
    )
    async def test_burst_is_due_after_the_longest_wait(self, rig: ConversationStoreRig) -> None:
        for number in range(4):
            await rig.inbox.receive([event_of(f"e-{number}", quiet=100, longest_wait=250)])
            await rig.advance(70)
        assert len((await rig.inbox.load(await claimed(rig), limit=20)).events) == 4

    @proves(
        "Events are ordered by position, then by when they were received; at most `limit` are returned, "
        "and each load counts as one of their attempts.",
    )
    async def test_events_are_loaded_by_position_then_in_the_order_received(self, rig: ConversationStoreRig) -> None:
        events = [event_of(f"e-{position}-{n}", position=position) for n, position in enumerate((3, 1, 2, 1))]
        work = await loaded(rig, *events, limit=3)
        assert names_of(work) == ["e-1-1", "e-1-3", "e-2-2"]
        assert [event.attempts for event in work.events] == [1, 1, 1]
        again = await rig.inbox.load(work.lease, limit=9)
        assert [event.attempts for event in again.events] == [2, 2, 2, 1]

    @proves(
        "Returns the work of a leased lane: its open deliveries, or if there are none, its first open events.",
    )
    async def test_work_of_other_lanes_is_not_loaded(self, rig: ConversationStoreRig) -> None:
        await rig.inbox.receive([event_of(f"{name}-{n}", lane_of(name)) for n in range(2) for name in ("l-1", "l-2")])
        leases = {lease.lane.id: lease for lease in (await claimed(rig), await claimed(rig, "worker-2"))}
        work = await rig.inbox.load(leases[LaneId("l-1")], limit=20)
        assert names_of(work) == ["l-1-0", "l-1-1"]
        await finished(rig, work, "chunk")
        other = await rig.inbox.load(leases[LaneId("l-2")], limit=20)
        assert other.deliveries == ()
        assert [(event.event_id, event.attempts) for event in other.events] == [("l-2-0", 1), ("l-2-1", 1)]

    async def test_load_returns_the_current_wake(self, rig: ConversationStoreRig) -> None:
        work = await loaded(rig)
        await rig.inbox.receive([event_of("e-2")])
        assert (await rig.inbox.load(work.lease, limit=1)).lease.wake == work.lease.wake + 1

    @proves("LeaseLostError: The lease is lost.")
    async def test_load_without_lease_is_refused(self, rig: ConversationStoreRig) -> None:
        work = await loaded(rig)
        await rig.lanes.release(work.lease, again=True)
        with pytest.raises(LeaseLostError):
            await rig.inbox.load(work.lease, limit=20)
        again = await rig.inbox.load(await claimed(rig), limit=20)
        assert [event.attempts for event in again.events] == [2]

    @proves("`Inbox.finish` fills it, and `Inbox.load` returns what is open.")
    @proves(
        "Stores received events until a turn has answered each exactly once.",
        "Stores the end of events, the messages of their turn and the chunks to send in one transaction.",
        "Returns the deliveries in their order; the first is already marked as being sent.",
    )
    async def test_result_is_stored_with_history_and_deliveries(self, rig: ConversationStoreRig) -> None:
        await rig.conversations.start(conversation_of())
        work = await loaded(rig, event_of("e-1"), event_of("e-2"))
        deliveries = await finished(
            rig,
            work,
            "chunk 1",
            "chunk 2",
            conversation=ConversationId("conversation-1"),
            messages=(user_message("m-1"), user_message("m-2"), assistant_message()),
        )
        assert [(each.chunk, each.text, each.turn) for each in deliveries] == [
            (0, "chunk 1", "turn-1"),
            (1, "chunk 2", "turn-1"),
        ]
        assert [(each.state, each.attempts) for each in deliveries] == [
            (DeliveryState.SENDING, 1),
            (DeliveryState.QUEUED, 0),
        ]
        assert {(each.conversation, each.lane) for each in deliveries} == {("conversation-1", "lane-1")}
        history = await rig.conversations.show(ConversationId("conversation-1"))
        assert [message.id for message in history.messages] == ["m-1", "m-2", "a-1"]
        page = await rig.inbox.list(EventFilter(state=EventState.ANSWERED), limit=9)
        assert [(event.event_id, event.payload) for event in page.events] == [("e-2", None), ("e-1", None)]

    @proves("`Inbox.finish` fills it, and `Inbox.load` returns what is open.")
    @proves(
        "Returns the work of a leased lane: its open deliveries, or if there are none, its first open events.",
        "If there are open deliveries, events are neither returned nor counted.",
    )
    async def test_open_deliveries_come_before_events(self, rig: ConversationStoreRig) -> None:
        work = await loaded(rig, event_of("e-1"), event_of("e-2"), limit=1)
        await finished(rig, work, "chunk 1", "chunk 2")
        again = await rig.inbox.load(work.lease, limit=1)
        assert [(each.text, each.state) for each in again.deliveries] == [
            ("chunk 1", DeliveryState.SENDING),
            ("chunk 2", DeliveryState.QUEUED),
        ]
        assert again.events == ()
        for delivery in again.deliveries:
            await rig.outbox.record(delivery.id, SendResult(state=DeliveryState.SENT, platform_id="p"))
        last = await rig.inbox.load(work.lease, limit=1)
        assert [(event.event_id, event.attempts) for event in last.events] == [("e-2", 1)]

    @proves(
        "If the result was stored before, the call stores nothing and returns the turn's deliveries that are open.",
    )
    async def test_repeated_result_stores_nothing_and_returns_open_deliveries(self, rig: ConversationStoreRig) -> None:
        await rig.conversations.start(conversation_of())
        work = await loaded(rig)
        fields = {"conversation": ConversationId("conversation-1"), "messages": (user_message(), assistant_message())}
        first = await finished(rig, work, "chunk 1", "chunk 2", **fields)
        await rig.outbox.record(first[0].id, SendResult(state=DeliveryState.SENT, platform_id="p"))
        again = await finished(rig, work, "chunk 1", "chunk 2", **fields)
        assert [each.id for each in again] == [first[1].id]
        assert len((await rig.conversations.show(ConversationId("conversation-1"))).messages) == 2

    async def test_second_turn_for_finished_events_is_not_stored(self, rig: ConversationStoreRig) -> None:
        await rig.conversations.start(conversation_of())
        work = await loaded(rig)
        await finished(rig, work)
        again = await finished(
            rig,
            work,
            "chunk",
            turn=TurnId("turn-2"),
            conversation=ConversationId("conversation-1"),
            messages=(user_message(turn=TurnId("turn-2")),),
        )
        assert again == ()
        assert (await rig.conversations.show(ConversationId("conversation-1"))).messages == ()

    @proves("LeaseLostError: The lease is lost; nothing is stored.")
    async def test_result_of_a_lost_lease_is_not_stored(self, rig: ConversationStoreRig) -> None:
        late = await loaded(rig)
        await rig.advance(LEASE + 1)
        work = await rig.inbox.load(await claimed(rig, "worker-2"), limit=20)
        with pytest.raises(LeaseLostError):
            await rig.inbox.finish(late.lease, result_of(late, "late"), seconds=LEASE)
        assert [each.text for each in await finished(rig, work, "in time")] == ["in time"]

    @proves("The lease is extended to that many seconds from now.")
    async def test_result_extends_the_lease(self, rig: ConversationStoreRig) -> None:
        work = await loaded(rig)
        await rig.advance(LEASE * 0.75)
        await finished(rig, work, "chunk")
        await rig.advance(LEASE * 0.75)
        assert await rig.lanes.claim(owner="worker-2", seconds=LEASE) is None

    @proves("Returns None and stores nothing if the result is void once the lane is woken, and it was.")
    async def test_interrupted_result_is_not_stored(self, rig: ConversationStoreRig) -> None:
        work = await loaded(rig)
        await rig.inbox.receive([event_of("e-2")])
        result = result_of(work, "chunk", unless_woken=True)
        assert await rig.inbox.finish(work.lease, result, seconds=LEASE) is None
        again = await rig.inbox.load(work.lease, limit=20)
        assert names_of(again) == ["e-1", "e-2"]
        assert len(await finished(rig, again, "chunk", unless_woken=True)) == 1

    @proves("UnknownConversationError: The conversation was deleted; nothing is stored.")
    async def test_result_for_a_deleted_conversation_is_not_stored(self, rig: ConversationStoreRig) -> None:
        await rig.conversations.start(conversation_of())
        work = await loaded(rig)
        selection = ConversationSelection(instance=BOT, conversation=ConversationId("conversation-1"))
        await rig.conversations.delete(selection, limit=9)
        fields = {"conversation": ConversationId("conversation-1"), "messages": (user_message(),)}
        with pytest.raises(UnknownConversationError):
            await rig.inbox.finish(work.lease, result_of(work, "chunk", **fields), seconds=LEASE)
        assert names_of(await rig.inbox.load(work.lease, limit=20)) == ["e-1"]

    @pytest.mark.parametrize("state", [EventState.IGNORED, EventState.LIMITED])
    async def test_events_can_end_without_a_turn(self, rig: ConversationStoreRig, state: EventState) -> None:
        work = await loaded(rig)
        assert await finished(rig, work, state=state, error="why") == ()
        (event,) = (await rig.inbox.list(EventFilter(state=state), limit=9)).events
        assert (event.payload, event.error) == (None, "why")

    async def test_notice_leaves_events_open(self, rig: ConversationStoreRig) -> None:
        work = await loaded(rig)
        (notice,) = await finished(rig, work, "later", state=EventState.OPEN, turn=TurnId("notice"))
        await rig.outbox.record(notice.id, SendResult(state=DeliveryState.SENT))
        assert names_of(await rig.inbox.load(work.lease, limit=20)) == ["e-1"]

    @proves(
        "The payload of finished events is removed, unless they are dead.",
        "Opens a dead event again, without attempts, and makes its lane due.",
    )
    async def test_dead_event_keeps_its_payload_and_can_be_replayed(self, rig: ConversationStoreRig) -> None:
        work = await loaded(rig)
        await finished(rig, work, state=EventState.DEAD, error="bad request")
        await rig.lanes.release(work.lease)
        assert await rig.lanes.due_in() is None
        (dead,) = (await rig.inbox.list(EventFilter(state=EventState.DEAD), limit=9)).events
        assert (dead.payload, dead.error) == ("ciphertext of e-1", "bad request")
        await rig.inbox.replay(dead.id)
        (event,) = (await rig.inbox.load(await claimed(rig), limit=20)).events
        assert (event.id, event.attempts, event.error) == (dead.id, 1, None)

    @proves("UnknownEventError: The event doesn't exist or isn't dead.")
    async def test_only_dead_events_are_replayed(self, rig: ConversationStoreRig) -> None:
        work = await loaded(rig)
        with pytest.raises(UnknownEventError):
            await rig.inbox.replay(work.events[0].id)
        with pytest.raises(UnknownEventError):
            await rig.inbox.replay(EventId(2**40))

    async def test_replay_of_a_leased_lane_is_noticed_at_its_release(self, rig: ConversationStoreRig) -> None:
        work = await loaded(rig)
        await finished(rig, work, state=EventState.DEAD)
        await rig.inbox.replay(work.events[0].id)
        await rig.lanes.release(work.lease)
        assert names_of(await rig.inbox.load(await claimed(rig), limit=20)) == ["e-1"]

    @proves("Returns the events that match, the latest received first; `total` ignores the page.")
    async def test_list_returns_a_page_of_matching_events(self, rig: ConversationStoreRig) -> None:
        lanes = [lane_of(), lane_of("lane-2", instance=OTHER_BOT), lane_of("lane-3", channel="fake2")]
        await rig.inbox.receive([event_of(f"e-{n}-{m}", lane) for n, lane in enumerate(lanes) for m in range(3)])
        page = await rig.inbox.list(EventFilter(instance=BOT), limit=2, offset=1)
        assert ([event.event_id for event in page.events], page.total) == (["e-2-1", "e-2-0"], 6)
        page = await rig.inbox.list(EventFilter(instance=BOT, channel="fake"), limit=9)
        assert ([event.event_id for event in page.events], page.total) == (["e-0-2", "e-0-1", "e-0-0"], 3)
        assert (await rig.inbox.list(EventFilter(state=EventState.DEAD), limit=9)).total == 0
        event = page.events[1]
        assert (await rig.inbox.list(EventFilter(event=event.id), limit=9)).events == (event,)

    @proves(
        "Returns the data key for payloads of that day.",
        "If there is none, the draft is stored and returned; without a draft, None is returned.",
        "Concurrent calls return the same key.",
    )
    async def test_ingest_key_of_a_day_is_stored_once(self, rig: ConversationStoreRig) -> None:
        def draft(number: int) -> WrappedKey:
            return WrappedKey(kind=KeyKind.INGEST, id="2026-11-22", key=f"key-{number}", wrapped_by="master-1")

        assert await rig.inbox.ingest_key(_DAY) is None
        found = await asyncio.gather(*(rig.inbox.ingest_key(_DAY, draft(number)) for number in range(10)))
        assert len(set(found)) == 1
        assert await rig.inbox.ingest_key(_DAY) == found[0]
        assert await rig.inbox.ingest_key(date(2026, 11, 23)) is None

    @proves("Stores received events until a turn has answered each exactly once.")
    async def test_finished_events_stay_finished_for_their_ids(self, rig: ConversationStoreRig) -> None:
        work = await loaded(rig)
        await finished(rig, work)
        page = await rig.inbox.list(EventFilter(event=ids_of(work)[0]), limit=9)
        assert [event.state for event in page.events] == [EventState.ANSWERED]


class InboxOutageContract(ConversationStoreOutageContract):
    """The additional tests for an Inbox whose store can fail; subclasses provide a rig with an unavailable store."""

    @proves(
        "Every method raises `StorageUnavailableError` if the store is unavailable; `receive` and "
        "`finish` can then be repeated, because what was stored already isn't stored again.",
    )
    async def test_inbox_reports_unavailable_store(self, unavailable: ConversationStoreRig) -> None:
        with pytest.raises(StorageUnavailableError):
            await unavailable.inbox.receive([event_of()])
        with pytest.raises(StorageUnavailableError):
            await unavailable.inbox.list(EventFilter(), limit=9)
        with pytest.raises(StorageUnavailableError):
            await unavailable.inbox.replay(EventId(1))
        with pytest.raises(StorageUnavailableError):
            await unavailable.inbox.ingest_key(_DAY)
        with pytest.raises(StorageUnavailableError):
            await unavailable.inbox.load(lease_of(), limit=20)
        result = TurnResult(turn=TurnId("turn-1"), events=(EventId(1),), chunks=())
        with pytest.raises(StorageUnavailableError):
            await unavailable.inbox.finish(lease_of(), result, seconds=LEASE)
