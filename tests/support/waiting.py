"""Waiting for what nobody announces."""

import asyncio
from collections.abc import Awaitable, Callable

from support.patience import PATIENCE


async def until(holds: Callable[[], Awaitable[object]]) -> None:
    """Returns once it holds."""
    async with asyncio.timeout(PATIENCE):
        while not await holds():  # noqa: ASYNC110 - what others do to a database can't be awaited
            await asyncio.sleep(0.01)
