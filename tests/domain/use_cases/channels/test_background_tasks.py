import asyncio

import pytest

from polyant.domain.use_cases.channels.background_tasks import end


async def test_ended_task_is_cancelled() -> None:
    task = asyncio.create_task(asyncio.sleep(3_600))
    await end(task)
    assert task.cancelled()


async def test_error_of_a_task_is_raised() -> None:
    async def fail() -> None:
        raise ValueError("failed")

    task = asyncio.create_task(fail())
    await asyncio.sleep(0)
    with pytest.raises(ValueError, match="failed"):
        await end(task)


async def test_cancellation_of_the_caller_is_not_swallowed() -> None:
    may_end = asyncio.Event()

    async def end_slowly() -> None:
        try:
            await asyncio.sleep(3_600)
        finally:
            await may_end.wait()

    task = asyncio.create_task(end_slowly())
    await asyncio.sleep(0)
    caller = asyncio.create_task(end(task))
    await asyncio.sleep(0)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    may_end.set()
    await asyncio.wait({task})
