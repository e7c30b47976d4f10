"""Polls for conditions that can't be awaited."""

import asyncio
from collections.abc import Awaitable, Callable

from support.patience import PATIENCE


async def until(condition: Callable[[], Awaitable[object]]) -> None:
    """Returns once the condition holds."""
    async with asyncio.timeout(PATIENCE):
        while not await condition():  # noqa: ASYNC110 - a database can't be awaited
            await asyncio.sleep(0.01)
