"""Ends work for a client that has disconnected."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from litestar.types import Receive

from polyant.domain.running_turns import CallerGoneError

T = TypeVar("T")


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
