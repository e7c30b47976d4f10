import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from litestar.types import HTTPReceiveMessage, Receive

from polyant.domain.running_turns import CallerGoneError
from polyant.http.disconnects import EXTENSION, watch_disconnect, while_connected


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


async def test_watch_waits_for_the_message_of_a_server_without_the_extension() -> None:
    scope: Any = {"type": "http"}
    gone, called = asyncio.Event(), asyncio.Event()
    watch_disconnect(scope, receiving(gone), called.set)
    await asyncio.sleep(0)
    assert not called.is_set()
    gone.set()
    await called.wait()


async def test_ended_watch_leaves_no_task_and_calls_nothing() -> None:
    scope: Any = {"type": "http", "extensions": {}}
    gone, called = asyncio.Event(), asyncio.Event()
    end = watch_disconnect(scope, receiving(gone), called.set)
    await asyncio.sleep(0)
    end()
    gone.set()
    await asyncio.sleep(0)
    assert len(asyncio.all_tasks()) == 1
    assert not called.is_set()


async def test_watch_uses_the_extension_of_the_server() -> None:
    watched: list[Callable[[], None]] = []
    ended = asyncio.Event()

    def watch(callback: Callable[[], None]) -> Callable[[], None]:
        watched.append(callback)
        return ended.set

    scope: Any = {"type": "http", "extensions": {EXTENSION: watch}}
    called = asyncio.Event()
    end = watch_disconnect(scope, receiving(asyncio.Event()), called.set)
    assert len(asyncio.all_tasks()) == 1
    watched[0]()
    assert called.is_set()
    end()
    assert ended.is_set()
