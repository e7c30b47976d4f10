import asyncio

import pytest

from polyant.adapters.system.clock import SystemClock


def test_sleep_is_never_too_short_on_an_event_loop_that_wakes_early() -> None:
    """uvloop rounds timers to milliseconds."""
    uvloop = pytest.importorskip("uvloop")
    clock = SystemClock()

    async def surplus(seconds: float) -> float:
        start = clock.monotonic()
        await clock.sleep(seconds)
        return clock.monotonic() - start - seconds

    async def many() -> list[float]:
        return await asyncio.gather(*(surplus(number / 3_000) for number in range(100)))

    assert min(uvloop.run(many())) >= -1e-9  # the rounding error of a float difference
