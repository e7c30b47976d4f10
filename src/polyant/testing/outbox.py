"""The contract of the port Outbox."""

import pytest

from polyant.domain.errors import LeaseLostError, StorageUnavailableError
from polyant.domain.lane_work import Delivery, DeliveryFilter, DeliveryId, DeliveryState, SendResult
from polyant.domain.ports.outbox import Outbox
from polyant.testing.contract import proves
from polyant.testing.conversation_store import (
    BOT,
    LEASE,
    OTHER_BOT,
    ConversationStoreContract,
    ConversationStoreOutageContract,
    ConversationStoreRig,
    claimed,
    event_of,
    finished,
    lane_of,
    lease_of,
    loaded,
)

_SENT = SendResult(state=DeliveryState.SENT, platform_id="p-1")


async def _listed(rig: ConversationStoreRig, **fields: object) -> list[Delivery]:
    page = await rig.outbox.list(DeliveryFilter(**fields), limit=9)  # type: ignore[arg-type]
    assert page.total == len(page.deliveries)
    return [*page.deliveries]


class OutboxContract(ConversationStoreContract):
    """The tests that every Outbox must pass; subclasses provide the rig."""

    def test_implements_the_port(self, rig: ConversationStoreRig) -> None:
        assert isinstance(rig.outbox, Outbox)

    @proves(
        "Marks a delivery as being sent, before it is; counts an attempt, and extends the lease to those seconds.",
    )
    async def test_started_delivery_counts_an_attempt(self, rig: ConversationStoreRig) -> None:
        work = await loaded(rig)
        first, second = await finished(rig, work, "chunk 1", "chunk 2")
        assert await rig.outbox.start(work.lease, second.id, seconds=LEASE)
        assert await rig.outbox.start(work.lease, first.id, seconds=LEASE, ambiguous=True)
        found = {each.id: each for each in await _listed(rig)}
        assert [(found[each.id].state, found[each.id].attempts) for each in (first, second)] == [
            (DeliveryState.SENDING, 2),
            (DeliveryState.SENDING, 1),
        ]
        assert [each.id for each in await _listed(rig, ambiguous=True)] == [first.id]
        assert [each.id for each in await _listed(rig, ambiguous=False)] == [second.id]

    @proves(
        "Marks a delivery as being sent, before it is; counts an attempt, and extends the lease to those seconds.",
    )
    async def test_start_extends_the_lease(self, rig: ConversationStoreRig) -> None:
        work = await loaded(rig)
        (delivery,) = await finished(rig, work, "chunk")
        await rig.advance(LEASE * 0.75)
        assert await rig.outbox.start(work.lease, delivery.id, seconds=LEASE)
        await rig.advance(LEASE * 0.75)
        assert await rig.lanes.claim(owner="worker-2", seconds=LEASE) is None

    @proves("LeaseLostError: The lease is lost.")
    async def test_start_with_a_lost_lease_is_refused(self, rig: ConversationStoreRig) -> None:
        work = await loaded(rig)
        (delivery,) = await finished(rig, work, "chunk")
        await rig.advance(LEASE + 1)
        lease = await claimed(rig, "worker-2")
        with pytest.raises(LeaseLostError):
            await rig.outbox.start(work.lease, delivery.id, seconds=LEASE)
        assert await rig.outbox.start(lease, delivery.id, seconds=LEASE)

    @proves(
        "The text is removed once the chunk is sent.",
        "A delivery that is sent stays sent.",
    )
    async def test_sent_chunk_loses_its_text_and_is_never_started_again(self, rig: ConversationStoreRig) -> None:
        work = await loaded(rig)
        (delivery,) = await finished(rig, work, "chunk")
        await rig.outbox.record(delivery.id, _SENT)
        await rig.outbox.record(delivery.id, SendResult(state=DeliveryState.QUEUED, error="late"))
        assert not await rig.outbox.start(work.lease, delivery.id, seconds=LEASE)
        (found,) = await _listed(rig)
        assert (found.state, found.text, found.platform_id, found.error) == (DeliveryState.SENT, None, "p-1", None)

    @proves(
        "Returns False and changes nothing but the lease if the delivery isn't open, because its outcome is known.",
    )
    @pytest.mark.parametrize("state", [DeliveryState.FAILED, DeliveryState.UNKNOWN])
    async def test_settled_chunk_is_not_open(self, rig: ConversationStoreRig, state: DeliveryState) -> None:
        work = await loaded(rig)
        (delivery,) = await finished(rig, work, "chunk")
        await rig.outbox.record(delivery.id, SendResult(state=state, error="403"))
        assert (await rig.inbox.load(work.lease, limit=20)).deliveries == ()
        assert not await rig.outbox.start(work.lease, delivery.id, seconds=LEASE)
        (found,) = await _listed(rig, state=state)
        assert (found.text, found.error, found.attempts) == ("chunk", "403", 1)
        assert bool(await _listed(rig, ambiguous=True)) is (state is DeliveryState.UNKNOWN)

    @proves(
        "Returns False and changes nothing but the lease if the delivery isn't open, because its outcome is known.",
    )
    async def test_start_of_a_settled_chunk_extends_the_lease(self, rig: ConversationStoreRig) -> None:
        work = await loaded(rig)
        (delivery,) = await finished(rig, work, "chunk")
        await rig.outbox.record(delivery.id, _SENT)
        await rig.advance(LEASE * 0.75)
        assert not await rig.outbox.start(work.lease, delivery.id, seconds=LEASE)
        await rig.advance(LEASE * 0.75)
        assert await rig.lanes.claim(owner="worker-2", seconds=LEASE) is None

    async def test_chunk_that_was_not_sent_is_open_again(self, rig: ConversationStoreRig) -> None:
        work = await loaded(rig)
        (delivery,) = await finished(rig, work, "chunk")
        await rig.outbox.record(delivery.id, SendResult(state=DeliveryState.QUEUED, error="429"))
        (found,) = (await rig.inbox.load(work.lease, limit=20)).deliveries
        assert (found.state, found.text, found.attempts, found.error) == (DeliveryState.QUEUED, "chunk", 1, "429")

    @proves("Stores the outcome of an attempt, which is a fact even if the lease is lost meanwhile.")
    async def test_outcome_is_stored_although_the_lease_is_lost(self, rig: ConversationStoreRig) -> None:
        work = await loaded(rig)
        (delivery,) = await finished(rig, work, "chunk")
        await rig.advance(LEASE + 1)
        lease = await claimed(rig, "worker-2")
        await rig.outbox.record(delivery.id, _SENT)
        assert (await rig.inbox.load(lease, limit=20)).deliveries == ()

    @proves("Unknown ids change nothing.")
    async def test_unknown_delivery_changes_nothing(self, rig: ConversationStoreRig) -> None:
        work = await loaded(rig)
        await rig.outbox.record(DeliveryId(2**40), _SENT)
        assert not await rig.outbox.start(work.lease, DeliveryId(2**40), seconds=LEASE)
        assert await _listed(rig) == []

    @proves(
        "Stores what the platform reports about a sent chunk; returns False if the ledger has no such chunk.",
        "An error makes the delivery failed.",
    )
    async def test_platform_status_is_stored(self, rig: ConversationStoreRig) -> None:
        work = await loaded(rig)
        (delivery,) = await finished(rig, work, "chunk")
        await rig.outbox.record(delivery.id, _SENT)
        note = rig.outbox.note_status
        assert await note(channel="fake", account="acc", platform_id="p-1", status="read")
        assert [(each.status, each.state) for each in await _listed(rig)] == [("read", DeliveryState.SENT)]
        assert not await note(channel="fake", account="acc", platform_id="p-2", status="read")
        assert not await note(channel="fake", account="other", platform_id="p-1", status="read")
        assert not await note(channel="fake2", account="acc", platform_id="p-1", status="read")
        assert await note(channel="fake", account="acc", platform_id="p-1", status="failed", error="131047")
        assert [(each.state, each.error) for each in await _listed(rig)] == [(DeliveryState.FAILED, "131047")]

    @proves("Returns the deliveries that match, the latest created first; `total` ignores the page.")
    async def test_list_returns_a_page_of_matching_deliveries(self, rig: ConversationStoreRig) -> None:
        for number, lane in enumerate((lane_of(), lane_of("lane-2", instance=OTHER_BOT, channel="fake2"))):
            work = await loaded(rig, event_of(f"e-{number}", lane))
            await finished(rig, work, "chunk 1", "chunk 2", turn=f"turn-{number}")
        page = await rig.outbox.list(DeliveryFilter(), limit=2, offset=1)
        assert ([each.text for each in page.deliveries], page.total) == (["chunk 1", "chunk 2"], 4)
        assert len(await _listed(rig, instance=BOT)) == 2
        assert len(await _listed(rig, channel="fake2")) == 2
        assert await _listed(rig, instance=BOT, channel="fake2") == []


class OutboxOutageContract(ConversationStoreOutageContract):
    """The additional tests for an Outbox whose store can fail; subclasses provide a rig with an unavailable store."""

    @proves(
        "Every method raises `StorageUnavailableError` if the store is unavailable; every call can then be repeated.",
    )
    async def test_outbox_reports_unavailable_store(self, unavailable: ConversationStoreRig) -> None:
        with pytest.raises(StorageUnavailableError):
            await unavailable.outbox.record(DeliveryId(1), _SENT)
        with pytest.raises(StorageUnavailableError):
            await unavailable.outbox.start(lease_of(), DeliveryId(1), seconds=LEASE)
        with pytest.raises(StorageUnavailableError):
            await unavailable.outbox.list(DeliveryFilter(), limit=9)
        with pytest.raises(StorageUnavailableError):
            await unavailable.outbox.note_status(channel="fake", account="a", platform_id="p", status="read")
