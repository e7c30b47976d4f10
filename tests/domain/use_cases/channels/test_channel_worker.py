import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from polyant.domain.channel_events import InboundBatch
from polyant.domain.channel_info import PullConflictError
from polyant.domain.channels import Delivery
from polyant.domain.injectables import ConversationDays
from polyant.domain.lane_work import EventFilter
from polyant.domain.use_cases.channels.run_channels import RunChannels
from polyant.domain.use_cases.channels.tend_store import TendStore
from polyant.domain.use_cases.channels.watch_backlog import WatchBacklog
from support.channel_worker import ChannelWorkerHarness, message
from support.scripted_supervisor import says
from support.waiting import until


@asynccontextmanager
async def running(work: Coroutine[Any, Any, None]) -> AsyncIterator["asyncio.Task[None]"]:
    """Runs the work in the background within the block."""
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@pytest.fixture
async def harness() -> ChannelWorkerHarness:
    return await ChannelWorkerHarness.open()


async def test_worker_answers_lanes_as_they_become_due(harness: ChannelWorkerHarness) -> None:
    async def are_answered() -> bool:
        harness.clock.advance(0.1)
        harness.wake()
        return len(harness.texts) == 5

    async with running(harness.worker.run()):
        for number in range(5):
            await harness.receive(message(number, chat=str(number), user=str(number)))
        await until(are_answered)
    await harness.worker.close()


async def test_idle_worker_reads_once_a_second(harness: ChannelWorkerHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[float | None] = []
    waits: list[float] = []
    due_in = harness.store.lanes.due_in

    async def counted() -> float | None:
        reads.append(await due_in())
        return reads[-1]

    async def wait(seconds: float) -> None:
        waits.append(seconds)
        await asyncio.sleep(0)

    monkeypatch.setattr(harness.store.lanes, "due_in", counted)
    monkeypatch.setattr(harness.wake, "wait", wait)

    async def has_waited() -> bool:
        return len(waits) >= 3

    async with running(harness.worker.run()):
        await until(has_waited)
    assert set(waits) == {1.0}
    assert len(reads) == len(waits)


async def test_worker_waits_while_a_due_lane_can_not_be_claimed(
    harness: ChannelWorkerHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    claims: list[str] = []

    async def due_in() -> float:
        return -1.0

    async def claim(*, owner: str, seconds: float) -> None:
        claims.append(owner)
        await asyncio.sleep(0)

    async def wait(seconds: float) -> None:
        waits.append(seconds)
        await asyncio.sleep(0)

    monkeypatch.setattr(harness.store.lanes, "due_in", due_in)
    monkeypatch.setattr(harness.store.lanes, "claim", claim)
    monkeypatch.setattr(harness.wake, "wait", wait)

    async def has_claimed() -> bool:
        return len(claims) >= 3

    async with running(harness.worker.run()):
        await until(has_claimed)
    assert len(waits) in {len(claims), len(claims) - 1}
    assert all(0 < seconds < 1 for seconds in waits)


async def test_worker_leaves_a_fifth_of_the_slots_to_others(harness: ChannelWorkerHarness) -> None:
    harness.worker._max_lanes = 2
    harness.supervisor.plays(release := asyncio.Event(), *says("Hello!"))
    for number in range(4):
        await harness.receive(message(number, chat=str(number), user=str(number)))
    harness.clock.advance(2)
    async with running(harness.worker.run()):
        await harness.supervisor.runs(2)
        harness.wake()
        await asyncio.sleep(0)
        assert harness.supervisor.running == 2
        release.set()

        async def are_answered() -> bool:
            harness.wake()
            return len(harness.texts) == 4

        await until(are_answered)
    await harness.worker.close()


async def test_worker_claims_nothing_once_the_server_stops(harness: ChannelWorkerHarness) -> None:
    await harness.receive(message())
    harness.clock.advance(2)
    harness.runner.turns.announce_close()
    await harness.worker.run()
    assert await harness.store.lanes.due_in() is not None


async def test_closed_worker_gives_its_lanes_back(harness: ChannelWorkerHarness) -> None:
    harness.supervisor.plays(asyncio.Event())
    await harness.receive(message())
    harness.clock.advance(2)
    async with running(harness.worker.run()):
        await harness.supervisor.runs()
    await harness.worker.close()
    (event,) = (await harness.store.inbox.list(EventFilter(), limit=9)).events
    assert (event.state.value, event.attempts) == ("open", 0)
    harness.supervisor.plays(*says("Back"))
    await harness.work()
    assert harness.texts == ["Back"]


async def test_stopping_worker_lets_running_turns_end(harness: ChannelWorkerHarness) -> None:
    harness.supervisor.plays(proceed := asyncio.Event(), *says("Done"))
    await harness.receive(message())
    harness.clock.advance(2)
    async with running(harness.worker.run()):
        await harness.supervisor.runs()
        harness.runner.turns.announce_close()
    closing = asyncio.create_task(harness.worker.close())
    await asyncio.sleep(0)
    proceed.set()
    await closing
    assert harness.texts == ["Done"]


async def test_stopping_server_answers_until_its_resources_are_closed(harness: ChannelWorkerHarness) -> None:
    harness.supervisor.plays(proceed := asyncio.Event(), *says("Done"))
    await harness.receive(message())
    harness.clock.advance(2)
    tend = TendStore(maintenance=harness.store.maintenance, clock=harness.clock, days=ConversationDays(30))
    watch = WatchBacklog(inbox=harness.store.inbox, lanes=harness.store.lanes, clock=harness.clock)
    work = RunChannels(worker=harness.worker, pull=harness.pull, tend=tend, watch=watch)
    running_work = asyncio.create_task(work())
    await harness.supervisor.runs()
    harness.runner.turns.announce_close()
    harness.wake()
    for _ in range(5):
        await asyncio.sleep(0)
    running_work.cancel()
    await asyncio.sleep(0)
    proceed.set()
    with suppress(asyncio.CancelledError):
        await running_work
    assert harness.texts == ["Done"]


class TestPulledAccounts:
    async def test_pulled_events_are_stored_and_answered(self) -> None:
        harness = await ChannelWorkerHarness.open(delivery=Delivery.PULL)
        harness.fake.waiting.put_nowait(message())

        async def is_stored() -> bool:
            return bool(await harness.states())

        async with running(harness.pull.run()):
            await until(is_stored)
        await harness.work()
        assert harness.texts == ["Hello!"]

    async def test_account_has_one_owner_and_is_released(self) -> None:
        harness = await ChannelWorkerHarness.open(delivery=Delivery.PULL)
        rows = harness.store.store.conversations.lanes

        async def owner() -> object:
            return next((row.owner for row in rows.values()), None)

        async with running(harness.pull.run()):
            await until(owner)
            (lane,) = [row.lane for row in rows.values()]
            assert await harness.store.lanes.acquire(lane, owner="other", seconds=30) is None
        assert await harness.store.lanes.acquire(lane, owner="other", seconds=30) is not None

    async def test_conflict_is_reported_and_tried_again(self, caplog: pytest.LogCaptureFixture) -> None:
        harness = await ChannelWorkerHarness.open(delivery=Delivery.PULL)
        calls = 0

        class Source:
            async def receive(self, seconds: float) -> InboundBatch:
                nonlocal calls
                calls += 1
                if calls == 1:
                    raise PullConflictError
                await asyncio.Event().wait()
                return InboundBatch()

        @asynccontextmanager
        async def pull(account: object) -> AsyncIterator[Source]:
            yield Source()

        harness.fake.pull = pull  # type: ignore[method-assign]

        async def is_called_again() -> bool:
            harness.clock.advance(31)
            return calls == 2

        async with running(harness.pull.run()):
            await until(is_called_again)
        assert "Another program polls this bot" in caplog.text

    async def test_accounts_with_webhooks_are_not_pulled(self, harness: ChannelWorkerHarness) -> None:
        async with running(harness.pull.run()):
            await harness.clock.sleepers()
            assert harness.store.store.conversations.lanes == {}


async def test_forgotten_lane_is_healed_and_logged(
    harness: ChannelWorkerHarness, caplog: pytest.LogCaptureFixture
) -> None:
    await harness.receive(message())
    tend = TendStore(maintenance=harness.store.maintenance, clock=harness.clock, days=ConversationDays(30))
    await tend.heal()
    assert caplog.messages == []
    for row in harness.store.store.conversations.lanes.values():
        row.due_at = None
    await tend.heal()
    assert caplog.messages == ["1 lanes had work but weren't due"]
    await harness.work()
    assert harness.texts == ["Hello!"]


async def test_old_events_are_removed(harness: ChannelWorkerHarness) -> None:
    await harness.receive(message())
    await harness.work()
    tend = TendStore(maintenance=harness.store.maintenance, clock=harness.clock, days=ConversationDays(30))
    harness.clock.advance(9 * 86_400)
    await tend.clean_up()
    assert await harness.states() == {"e-7-1": "answered"}
    harness.clock.advance(2 * 86_400)
    async with running(tend.run()):
        await harness.clock.sleepers()
    assert await harness.states() == {}
