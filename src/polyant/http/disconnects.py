"""Ends work for a client that has disconnected."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

from litestar.types import Receive, Scope

from polyant.domain.running_turns import CallerGoneError

T = TypeVar("T")

EXTENSION = "polyant.watch_disconnect"
"""The ASGI extension with which our HTTP protocol offers `HttpProtocol.watch_disconnect`."""


def watch_disconnect(scope: Scope, receive: Receive, callback: Callable[[], None]) -> Callable[[], object]:
    """Calls back when the client disconnects; returns the function that ends the watch.

    Another server than ours only reports a lost connection as a message, for which a task waits.

    Args:
        scope: The scope of the request.
        receive: The request's messages, of which the whole body has been read.
        callback: Called at most once.
    """
    extensions: Mapping[str, Any] = scope.get("extensions") or {}
    if EXTENSION in extensions:
        end: Callable[[], None] = extensions[EXTENSION](callback)
        return end
    return asyncio.create_task(_call_when_gone(receive, callback)).cancel


async def _call_when_gone(receive: Receive, callback: Callable[[], None]) -> None:
    with contextlib.suppress(asyncio.CancelledError):
        await _disconnection(receive)
        callback()


async def while_connected(receive: Receive, work: Coroutine[Any, Any, T]) -> T:
    """Returns the result of the work, which is cancelled when the client disconnects.

    Args:
        receive: The request's messages, of which the whole body has been read.
        work: The work to do for the client.

    Raises:
        CallerGoneError: The client disconnected.
    """
    tasks = working, watching = asyncio.ensure_future(work), asyncio.ensure_future(_disconnection(receive))
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise CallerGoneError
        return working.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(working, watching, return_exceptions=True)


async def _disconnection(receive: Receive) -> None:
    # Once the body has been read, receive blocks until the client disconnects.
    while (await receive())["type"] != "http.disconnect":
        pass
