"""A clock for tests in which somebody waits."""

from polyant.testing.manual_clock import ManualClock


class HurryingClock(ManualClock):
    """Lets the time pass at once for whoever sleeps, and remembers for how long."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.advance(seconds)
