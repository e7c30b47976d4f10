"""An outage of the store isn't the fault of a message, and costs it no attempt."""

import asyncio
from collections.abc import Sequence

import pytest

from polyant.adapters.memory.inbox import MemoryInbox
from polyant.adapters.memory.lanes import MemoryLanes
from polyant.adapters.memory.outbox import MemoryOutbox
from polyant.domain.channel_sends import NotSent, SendOutcome, Sent
from polyant.domain.channels import AmbiguousSends
from polyant.domain.errors import AdapterUnavailableError, StorageUnavailableError
from polyant.domain.lane_work import (
    Delivery,
    DeliveryFilter,
    DeliveryId,
    EventFilter,
    EventId,
    LaneWork,
    SendResult,
    StoredEvent,
    TurnResult,
)
from polyant.domain.lanes import Lease
from support.channel_worker import LEASE, ChannelWorkerHarness, message
from support.scripted_supervisor import says
from support.waiting import until


class Outage:
    """Whether the store is away."""

    def __init__(self) -> None:
        self.is_on = False

    def check(self) -> None:
        if self.is_on:
            raise StorageUnavailableError


class FailingInbox(MemoryInbox):
    """An inbox that can be away."""

    outage: Outage

    async def load(self, lease: Lease, *, limit: int) -> LaneWork:
        self.outage.check()
        return await super().load(lease, limit=limit)

    async def finish(self, lease: Lease, result: TurnResult, *, seconds: float) -> tuple[Delivery, ...] | None:
        self.outage.check()
        return await super().finish(lease, result, seconds=seconds)


class FailingLanes(MemoryLanes):
    """Lanes that can be away."""

    outage: Outage
    refused = 0
    """How many calls the outage refused."""

    async def renew(self, lease: Lease, *, seconds: float) -> int:
        self._check()
        return await super().renew(lease, seconds=seconds)

    async def release(
        self,
        lease: Lease,
        *,
        again: bool = False,
        delay: float = 0.0,
        uncounted: Sequence[EventId] = (),
        uncounted_if_lost: bool = False,
    ) -> None:
        self._check()
        await super().release(lease, again=again, delay=delay, uncounted=uncounted, uncounted_if_lost=uncounted_if_lost)

    def _check(self) -> None:
        self.refused += self.outage.is_on
        self.outage.check()


class FailingOutbox(MemoryOutbox):
    """An outbox that can be away when an outcome is recorded."""

    outage: Outage
    refused = 0

    async def record(self, delivery: DeliveryId, result: SendResult) -> None:
        self.refused += self.outage.is_on
        self.outage.check()
        await super().record(delivery, result)


@pytest.fixture
def outage(monkeypatch: pytest.MonkeyPatch) -> Outage:
    """The outage of the stores of the next harness."""
    outage = Outage()
    monkeypatch.setattr(FailingInbox, "outage", outage, raising=False)
    monkeypatch.setattr(FailingLanes, "outage", outage, raising=False)
    monkeypatch.setattr(FailingOutbox, "outage", outage, raising=False)
    monkeypatch.setattr("support.conversation_stores.MemoryInbox", FailingInbox)
    monkeypatch.setattr("support.conversation_stores.MemoryLanes", FailingLanes)
    monkeypatch.setattr("support.conversation_stores.MemoryOutbox", FailingOutbox)
    return outage


@pytest.fixture
async def harness(outage: Outage) -> ChannelWorkerHarness:
    return await ChannelWorkerHarness.open()


async def only_event(harness: ChannelWorkerHarness) -> StoredEvent:
    (event,) = (await harness.store.inbox.list(EventFilter(), limit=9)).events
    return event


async def claim(harness: ChannelWorkerHarness, *, owner: str = "tests") -> Lease:
    lease = await harness.store.lanes.claim(owner=owner, seconds=LEASE)
    assert lease is not None
    return lease


async def advanced(harness: ChannelWorkerHarness, task: "asyncio.Task[None]") -> None:
    """Lets the time pass until the task is done."""

    async def is_done() -> bool:
        harness.clock.advance(1)
        return task.done()

    await until(is_done)


async def test_outage_while_the_answer_is_stored_is_no_attempt(harness: ChannelWorkerHarness, outage: Outage) -> None:
    harness.supervisor.plays(proceed := asyncio.Event(), *says("Lost"))
    await harness.receive(message())
    harness.clock.advance(1)
    task = asyncio.create_task(harness.answer_lane(await claim(harness)))
    await harness.supervisor.runs()
    outage.is_on = True
    proceed.set()

    async def is_refused() -> bool:
        harness.clock.advance(1)
        return outage_calls(harness) > 0

    await until(is_refused)
    assert (await only_event(harness)).attempts == 1
    outage.is_on = False
    await advanced(harness, task)
    assert (await only_event(harness)).attempts == 0
    harness.supervisor.plays(*says("Hello!"))
    await harness.work()
    assert harness.texts == ["Hello!"]
    assert (await only_event(harness)).attempts == 1


async def running_turn(harness: ChannelWorkerHarness) -> asyncio.Task[None]:
    """Starts the turn of a message, which doesn't end by itself."""
    harness.supervisor.plays(asyncio.Event())
    await harness.receive(message())
    harness.clock.advance(1)
    task: asyncio.Task[None] = asyncio.create_task(harness.answer_lane(await claim(harness)))
    await harness.supervisor.runs()
    return task


def outage_calls(harness: ChannelWorkerHarness) -> int:
    assert isinstance(harness.store.lanes, FailingLanes)
    return harness.store.lanes.refused


async def test_outage_that_outlasts_the_lease_is_no_attempt(harness: ChannelWorkerHarness, outage: Outage) -> None:
    task = await running_turn(harness)
    outage.is_on = True

    async def is_abandoned() -> bool:
        harness.clock.advance(1)
        return harness.supervisor.abandoned.is_set()

    await until(is_abandoned)
    outage.is_on = False
    other = await claim(harness, owner="another process")  # it was faster
    await harness.store.inbox.load(other, limit=9)
    assert (await only_event(harness)).attempts == 2
    await advanced(harness, task)
    assert (await only_event(harness)).attempts == 1


async def test_lane_that_was_taken_over_during_an_outage_is_no_attempt(
    harness: ChannelWorkerHarness, outage: Outage
) -> None:
    task = await running_turn(harness)
    outage.is_on = True

    async def is_refused() -> bool:
        harness.clock.advance(1)
        return outage_calls(harness) > 0

    await until(is_refused)
    outage.is_on = False
    harness.clock.advance(LEASE)
    await harness.store.inbox.load(await claim(harness, owner="another process"), limit=9)
    await advanced(harness, task)
    assert (await only_event(harness)).attempts == 1


async def test_many_outages_make_no_dead_letter(harness: ChannelWorkerHarness, outage: Outage) -> None:
    harness.supervisor.plays(StorageUnavailableError())
    await harness.receive(message())
    for _ in range(10):
        await harness.work(seconds=2)
    assert ((await only_event(harness)).state.value, (await only_event(harness)).attempts) == ("open", 0)


async def test_message_that_always_ends_in_an_outage_becomes_a_dead_letter(harness: ChannelWorkerHarness) -> None:
    harness.supervisor.plays(StorageUnavailableError())
    await harness.receive(message())
    for _ in range(40):
        await harness.work(seconds=2)
    assert (await only_event(harness)).state.value == "dead"


async def test_outage_of_an_adapter_is_no_attempt(harness: ChannelWorkerHarness) -> None:
    harness.supervisor.plays(AdapterUnavailableError("rate limiter"))
    await harness.receive(message())
    for _ in range(10):
        await harness.work(seconds=2)
    assert ((await only_event(harness)).state.value, (await only_event(harness)).attempts) == ("open", 0)


async def sent_during_an_outage(harness: ChannelWorkerHarness, outage: Outage, outcome: SendOutcome) -> None:
    """Lets the store go away while the platform takes a chunk, and come back before the lease expires."""
    harness.supervisor.plays(*says("Hello!"))
    harness.fake.outcomes.append(outcome)
    await harness.receive(message())
    harness.clock.advance(1)
    lease = await claim(harness)
    send = harness.fake.send

    async def send_and_go_away(*arguments: object) -> SendOutcome:
        outage.is_on = True
        return await send(*arguments)  # type: ignore[arg-type]

    harness.fake.send = send_and_go_away  # type: ignore[assignment,method-assign]
    task = asyncio.create_task(harness.answer_lane(lease))
    outbox = harness.store.outbox
    assert isinstance(outbox, FailingOutbox)

    async def is_refused_again() -> bool:
        harness.clock.advance(0.5)
        return outbox.refused > 1

    await until(is_refused_again)
    harness.fake.send = send  # type: ignore[method-assign]
    outage.is_on = False
    await advanced(harness, task)


async def only_delivery(harness: ChannelWorkerHarness) -> Delivery:
    (delivery,) = (await harness.store.outbox.list(DeliveryFilter(), limit=9)).deliveries
    return delivery


async def test_confirmed_send_is_recorded_after_an_outage(harness: ChannelWorkerHarness, outage: Outage) -> None:
    await sent_during_an_outage(harness, outage, Sent("m-1"))
    delivery = await only_delivery(harness)
    assert (delivery.state.value, delivery.platform_id, delivery.ambiguous) == ("sent", "m-1", 0)
    assert await harness.work(seconds=100) == 0


async def test_chunk_that_was_not_sent_during_an_outage_is_not_held(outage: Outage) -> None:
    harness = await ChannelWorkerHarness.open(ambiguous_sends=AmbiguousSends.HOLD)
    await sent_during_an_outage(harness, outage, NotSent(1.0))
    assert (await only_delivery(harness)).ambiguous == 0
    await harness.work(seconds=2)
    assert harness.texts == ["Hello!"]
    assert (await only_delivery(harness)).state.value == "sent"
