"""Wakes the channel worker of this process when there may be work."""

import asyncio


class ChannelWake:
    """An alarm that stays on until somebody waits for it."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def __call__(self) -> None:
        """Wakes the worker, or lets its next wait end immediately."""
        self._event.set()

    async def wait(self, seconds: float) -> None:
        """Returns once somebody called, or after those seconds."""
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                await self._event.wait()
        except TimeoutError:
            return
        self._event.clear()
