import asyncio
from typing import Any

import pytest

from polyant.adapters.memory.lanes import MemoryLanes
from polyant.adapters.memory.store import MemoryStore
from polyant.adapters.system.clock import SystemClock
from polyant.domain.errors import ConversationBusyError, StorageUnavailableError
from polyant.domain.injectables import LeaseSeconds, ProcessName
from polyant.domain.lane_leases import MAX_WAITING, LaneLeases
from polyant.domain.lanes import Lane, Lease
from polyant.testing.conversation_store import api_lane
from polyant.testing.manual_clock import ManualClock

LANE = api_lane()


class TwoProcesses:
    """Two processes on one store in memory; in the first, calls can be slow or fail."""

    def __init__(self, *, seconds: float = 30.0) -> None:
        self.store, self.clock = MemoryStore(), ManualClock()
        self.lanes = FlakyLanes(store=self.store, clock=self.clock)
        self.one = LaneLeases(lanes=self.lanes, owner=ProcessName("one"), seconds=LeaseSeconds(seconds))
        self.two = LaneLeases(lanes=self._lanes(), owner=ProcessName("two"), seconds=LeaseSeconds(seconds))
        self.log: list[str] = []

    def _lanes(self) -> MemoryLanes:
        return MemoryLanes(store=self.store, clock=self.clock)

    async def is_free(self, lane: Lane = LANE) -> bool:
        lease = await self._lanes().acquire(lane, owner="test", seconds=1)
        if lease is not None:
            await self._lanes().release(lease)
        return lease is not None

    async def until_free(self, *, free: bool = True) -> None:
        while await self.is_free() is not free:  # noqa: ASYNC110 - the lane doesn't say
            await asyncio.sleep(0.001)

    async def turn(self, name: str, leases: LaneLeases, done: asyncio.Event, lane: Lane = LANE) -> None:
        async with leases.hold(lane, lambda: self.log.append(f"{name} lost")):
            self.log.append(f"{name} begins")
            await done.wait()
            self.log.append(f"{name} ends")

    async def logged(self, entry: str) -> None:
        while entry not in self.log:  # noqa: ASYNC110 - the turn says only this
            await asyncio.sleep(0.001)


class FlakyLanes(MemoryLanes):
    """Lanes whose store can be slow or unavailable."""

    slow: asyncio.Event | None = None
    fails = False

    async def acquire(self, lane: Lane, *, owner: str, seconds: float, **options: Any) -> Lease | None:
        lease = await super().acquire(lane, owner=owner, seconds=seconds, **options)
        if self.slow is not None:
            await self.slow.wait()
        return lease

    async def renew(self, lease: Lease, *, seconds: float) -> int:
        if self.fails:
            raise StorageUnavailableError
        return await super().renew(lease, seconds=seconds)

    async def release(self, lease: Lease, **options: object) -> None:
        if self.fails:
            raise StorageUnavailableError
        await super().release(lease)


async def test_turns_of_one_lane_run_one_after_another_in_order() -> None:
    processes, done = TwoProcesses(), asyncio.Event()
    names = ["a", "b", "c"]
    tasks = []
    for name in names:
        tasks.append(asyncio.create_task(processes.turn(name, processes.one, done)))
        await asyncio.sleep(0)
    await processes.logged("a begins")
    assert processes.log == ["a begins"]
    done.set()
    await asyncio.gather(*tasks)
    assert processes.log == [f"{name} {what}" for name in names for what in ("begins", "ends")]
    assert await processes.is_free()


async def test_turn_waits_for_a_turn_of_another_process() -> None:
    processes, first, second = TwoProcesses(), asyncio.Event(), asyncio.Event()
    one = asyncio.create_task(processes.turn("one", processes.one, first))
    await processes.logged("one begins")
    two = asyncio.create_task(processes.turn("two", processes.two, second))
    await asyncio.sleep(0.05)
    assert processes.log == ["one begins"]
    first.set()
    second.set()
    await asyncio.gather(one, two)
    assert processes.log == ["one begins", "one ends", "two begins", "two ends"]


async def test_different_lanes_do_not_wait() -> None:
    processes, done = TwoProcesses(), asyncio.Event()
    tasks = [asyncio.create_task(processes.turn(name, processes.one, done, api_lane(name))) for name in ("a", "b", "c")]
    for name in ("a", "b", "c"):
        await processes.logged(f"{name} begins")
    done.set()
    await asyncio.gather(*tasks)


async def test_lease_of_a_dead_process_expires() -> None:
    processes, done = TwoProcesses(), asyncio.Event()
    lease = await processes.lanes.acquire(LANE, owner="dead", seconds=30)
    assert lease is not None
    turn = asyncio.create_task(processes.turn("two", processes.two, done))
    await asyncio.sleep(0.05)
    assert processes.log == []
    processes.clock.advance(31)
    done.set()
    await turn
    assert processes.log == ["two begins", "two ends"]


async def test_more_than_four_waiting_turns_are_refused() -> None:
    processes, done = TwoProcesses(), asyncio.Event()
    tasks = [asyncio.create_task(processes.turn(str(name), processes.one, done)) for name in range(1 + MAX_WAITING)]
    await processes.logged("0 begins")
    with pytest.raises(ConversationBusyError, match="Too many requests wait for this conversation") as refused:
        await processes.turn("too many", processes.one, done)
    assert refused.value.retry_after == 1
    await_other = asyncio.create_task(processes.turn("other lane", processes.one, done, api_lane("other")))
    await processes.logged("other lane begins")
    tasks[2].cancel()
    await asyncio.wait([tasks[2]])
    tasks[2] = asyncio.create_task(processes.turn("fits again", processes.one, done))
    done.set()
    await asyncio.gather(*tasks, await_other)
    assert "fits again ends" in processes.log
    assert "too many begins" not in processes.log


async def test_turns_waiting_for_another_process_count_as_waiting() -> None:
    processes, done = TwoProcesses(), asyncio.Event()
    lease = await processes.lanes.acquire(LANE, owner="elsewhere", seconds=30)
    assert lease is not None
    tasks = [asyncio.create_task(processes.turn(str(name), processes.one, done)) for name in range(MAX_WAITING)]
    await asyncio.sleep(0.05)
    with pytest.raises(ConversationBusyError):
        await processes.turn("too many", processes.one, done)
    await processes.lanes.release(lease)
    done.set()
    await asyncio.gather(*tasks)


async def test_cancelled_turn_gives_its_lane_back() -> None:
    processes = TwoProcesses()
    turn = asyncio.create_task(processes.turn("one", processes.one, asyncio.Event()))
    await processes.logged("one begins")
    turn.cancel()
    await asyncio.wait([turn])
    assert turn.cancelled()
    assert await processes.is_free()


async def test_turn_cancelled_while_it_acquires_the_lane_gives_it_back() -> None:
    processes = TwoProcesses()
    processes.lanes.slow = asyncio.Event()
    turn = asyncio.create_task(processes.turn("one", processes.one, asyncio.Event()))
    await processes.until_free(free=False)
    turn.cancel()
    await asyncio.wait([turn])
    assert not await processes.is_free()
    processes.lanes.slow.set()
    await processes.until_free()
    assert processes.log == []


async def test_lease_is_renewed_while_the_turn_runs_and_its_loss_is_reported_once() -> None:
    store = MemoryStore()
    lanes = MemoryLanes(store=store, clock=SystemClock())
    log: list[str] = []
    leases = LaneLeases(lanes=lanes, owner=ProcessName("one"), seconds=LeaseSeconds(0.3))
    async with leases.hold(LANE, lambda: log.append("lost")) as held:
        await asyncio.sleep(0.7)
        assert await lanes.acquire(LANE, owner="two", seconds=9) is None
        assert log == []
        await lanes.release(held.lease)
        other = await lanes.acquire(LANE, owner="two", seconds=9)
        assert other is not None
        await asyncio.sleep(0.5)
        assert log == ["lost"]
    assert await lanes.renew(other, seconds=9) == 0


async def test_failed_renewals_and_releases_end_no_turn() -> None:
    processes, done = TwoProcesses(seconds=0.03), asyncio.Event()
    processes.lanes.fails = True
    turn = asyncio.create_task(processes.turn("one", processes.one, done))
    await processes.logged("one begins")
    await asyncio.sleep(0.1)
    done.set()
    await turn
    assert processes.log == ["one begins", "one ends"]
