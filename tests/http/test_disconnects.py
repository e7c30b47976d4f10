import asyncio

import pytest
from litestar.types import HTTPReceiveMessage, Receive

from polyant.domain.running_turns import CallerGoneError
from polyant.http.disconnects import while_connected


def receiving(gone: asyncio.Event) -> Receive:
    async def receive() -> HTTPReceiveMessage:
        await gone.wait()
        return {"type": "http.disconnect"}

    return receive


async def test_result_is_returned_while_the_client_is_connected() -> None:
    async def work() -> str:
        await asyncio.sleep(0)
        return "done"

    assert await while_connected(receiving(asyncio.Event()), work()) == "done"


async def test_error_of_the_work_is_raised() -> None:
    async def work() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await while_connected(receiving(asyncio.Event()), work())


async def test_disconnect_cancels_the_work_and_waits_for_its_end() -> None:
    gone, ended = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        try:
            gone.set()
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.set()

    with pytest.raises(CallerGoneError):
        await while_connected(receiving(gone), work())
    assert ended.is_set()


async def test_cancellation_from_outside_cancels_the_work() -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        try:
            begun.set()
            await asyncio.Event().wait()
        finally:
            ended.set()

    task = asyncio.ensure_future(while_connected(receiving(asyncio.Event()), work()))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()
    assert len(asyncio.all_tasks()) == 1
