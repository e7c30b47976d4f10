"""A Clock for tests of code that sleeps, such as between retries."""

from polyant.testing.manual_clock import ManualClock


class InstantClock(ManualClock):
    """A manual clock whose `sleep` advances the time at once and records the duration."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.advance(seconds)
