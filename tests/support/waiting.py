"""Waiting for what nobody announces."""

import asyncio
from collections.abc import Awaitable, Callable

_PATIENCE = 5.0


async def until(holds: Callable[[], Awaitable[object]]) -> None:
    """Returns once it holds."""
    async with asyncio.timeout(_PATIENCE):
        while not await holds():  # noqa: ASYNC110 - what others do to a database can't be awaited
            await asyncio.sleep(0.01)
