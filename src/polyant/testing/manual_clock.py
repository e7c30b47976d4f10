"""A Clock that the test advances."""

import asyncio
from datetime import UTC, datetime, timedelta

from polyant.domain.ports.clock import Clock

START = datetime(2026, 11, 22, 10, 44, tzinfo=UTC)


class ManualClock(Clock):
    """A clock that stands still until `advance`, which wakes the tasks whose sleep has ended.

    A test that must act while a task sleeps awaits `sleepers` first.
    """

    def __init__(self, start: datetime = START) -> None:
        self._start = start
        self._elapsed = 0.0
        self._sleeping: list[tuple[float, asyncio.Future[None]]] = []
        self._fell_asleep = asyncio.Event()

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        return self._elapsed

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        sleeper = (self._elapsed + seconds, asyncio.get_running_loop().create_future())
        self._sleeping.append(sleeper)
        self._fell_asleep.set()
        try:
            await sleeper[1]
        finally:
            self._sleeping.remove(sleeper)

    def advance(self, seconds: float) -> None:
        """Advances the time and wakes the tasks whose sleep has ended; they run when the caller next awaits."""
        self._elapsed += seconds
        for wakes_at, woken in self._sleeping:
            if wakes_at <= self._elapsed and not woken.done():
                woken.set_result(None)

    async def sleepers(self, count: int = 1) -> None:
        """Returns once at least that many tasks are sleeping."""
        while sum(not woken.done() for _, woken in self._sleeping) < count:
            self._fell_asleep.clear()
            await self._fell_asleep.wait()
