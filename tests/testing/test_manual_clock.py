import asyncio

from polyant.testing.manual_clock import ManualClock


async def test_only_due_sleepers_wake() -> None:
    clock = ManualClock()
    early, late = (asyncio.create_task(clock.sleep(seconds)) for seconds in (1, 2))
    await clock.sleepers(2)
    clock.advance(1.5)
    await early
    assert not late.done()
    clock.advance(0.5)
    await late


async def test_sleepers_waits_for_tasks_that_are_not_yet_asleep() -> None:
    clock = ManualClock()
    waiting = asyncio.create_task(clock.sleepers(2))
    first = asyncio.create_task(clock.sleep(1))
    await clock.sleepers()
    assert not waiting.done()
    second = asyncio.create_task(clock.sleep(1))
    await waiting
    clock.advance(1)
    await asyncio.gather(first, second)


async def test_woken_or_cancelled_task_is_no_longer_a_sleeper() -> None:
    clock = ManualClock()
    woken, cancelled = (asyncio.create_task(clock.sleep(seconds)) for seconds in (1, 2))
    await clock.sleepers(2)
    cancelled.cancel()
    clock.advance(1)
    waiting = asyncio.create_task(clock.sleepers())
    await asyncio.wait([woken, cancelled])
    assert not waiting.done()
    last = asyncio.create_task(clock.sleep(1))
    await waiting
    clock.advance(1)
    await last
