"""The system clock."""

import asyncio
import time
from datetime import UTC, datetime

from polyant.domain.ports.clock import Clock


class SystemClock(Clock):
    """Reads the system clocks."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    monotonic = staticmethod(time.monotonic)  # saves a call of Python code, about a dozen times per turn

    async def sleep(self, seconds: float) -> None:
        until = self.monotonic() + seconds
        await asyncio.sleep(seconds)
        while (left := until - self.monotonic()) > 0:  # noqa: ASYNC110 - not polling: uvloop may wake slightly early
            await asyncio.sleep(left)
