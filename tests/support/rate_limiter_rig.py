"""A rig that ages the rate limiter's log in a database without waiting."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from polyant.adapters.piccolo.database import PiccoloDatabase
from polyant.adapters.piccolo.rate_limiter import PiccoloRateLimiter
from polyant.domain.ports.rate_limiter import RateLimiter
from polyant.testing.rate_limiter import SharedLimiterRig

_MAKE_OLDER = {
    "postgres": """
        UPDATE rate_limits SET hits = ARRAY(SELECT hit - $1 FROM unnest(hits) AS hit),
            asked_at = asked_at - $1, expires_at = expires_at - $1
    """,
    "sqlite": """
        UPDATE rate_limits SET hits = (SELECT json_group_array(value - ?1) FROM json_each(hits)),
            asked_at = asked_at - ?1, expires_at = expires_at - ?1
    """,
}


@asynccontextmanager
async def open_limiter(url: str) -> AsyncIterator[RateLimiter]:
    async with PiccoloDatabase(url) as database:
        yield PiccoloRateLimiter(database=database)


class PiccoloRig(SharedLimiterRig):
    """Shifts the log's timestamps instead of waiting, since the table holds the limiter's whole state.

    The URL is for tests that open another limiter on the same database.
    """

    def __init__(self, database: PiccoloDatabase, url: str = "") -> None:
        self.limiter: PiccoloRateLimiter = PiccoloRateLimiter(database=database)
        self._database = database
        self.opener = partial(open_limiter, url)

    async def advance(self, seconds: float) -> None:
        await self._database.run(_MAKE_OLDER[self._database.dialect], round(seconds * 1_000_000))

    async def set_clock_back(self, seconds: float) -> None:
        """Moves the previous calls into the future, as if the clock had been set back."""
        await self.advance(-seconds)

    async def held_keys(self) -> int:
        await self.limiter.sweep()
        return await self._rows()

    async def holds_rows(self, number: int) -> bool:
        """Returns whether the table has this number of rows, without sweeping it."""
        return await self._rows() == number

    async def _rows(self) -> int:
        ((held,),) = await self._database.run("SELECT count(*) FROM rate_limits")
        return int(held)
