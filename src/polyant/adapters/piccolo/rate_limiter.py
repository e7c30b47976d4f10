"""A rate limiter that all processes on one database share."""

import asyncio
import contextlib
import logging
from types import TracebackType
from typing import Self

from polyant.adapters.piccolo.database import PiccoloDatabase
from polyant.domain.errors import StorageUnavailableError
from polyant.domain.limits import LimitState, RateLimit
from polyant.domain.ports.rate_limiter import RateLimiter

_logger = logging.getLogger(__name__)

_MICROSECONDS = 1_000_000
_MAX_SWEEP = 1_000

# The log of a key is one row. Each call locks only this row, so deadlocks are impossible. The clock is read after the
# lock is acquired, so that calls are logged in chronological order. If the clock was set back since the last call, the
# last call's time is used until the clock has caught up; if that would take longer than the window, the clock is used.
# Parameters: $1 is the key, $2 the maximum number of calls in $3 microseconds. Result: whether the call passed, the
# number of calls in the log, the age of the call that must expire before another one passes, and the age of the latest
# call. Both dialects do the same.
_HIT = {
    "postgres": """
        INSERT INTO rate_limits AS log (key, hits, asked_at, passed, expires_at)
        SELECT $1, ARRAY[time], time, true, time + $3
        FROM (SELECT floor(extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS time OFFSET 0) AS clock
        ON CONFLICT (key) DO UPDATE SET (hits, asked_at, passed, expires_at) = (
            WITH clock AS MATERIALIZED (
                SELECT floor(extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS time
            ), monotonic AS (
                SELECT CASE WHEN log.asked_at BETWEEN time AND time + $3 THEN log.asked_at ELSE time END AS now
                FROM clock
            ), evicted AS MATERIALIZED (
                SELECT now, log.hits[width_bucket(now - $3, log.hits) + 1 : width_bucket(now, log.hits)] AS recent
                FROM monotonic
            ), judged AS (
                SELECT now, recent, cardinality(recent) < $2 AS has_room FROM evicted
            ), logged AS (
                SELECT now, has_room, CASE WHEN has_room THEN recent || now ELSE recent END AS kept FROM judged
            )
            SELECT kept, now, has_room, kept[cardinality(kept)] + $3 FROM logged
        )
        RETURNING passed, cardinality(hits),
            asked_at - hits[greatest(1, cardinality(hits) - $2 + 1)],
            asked_at - hits[cardinality(hits)]
    """,
    "sqlite": """
        WITH clock AS MATERIALIZED (SELECT microseconds() AS time)
        INSERT INTO rate_limits AS log (key, hits, asked_at, passed, expires_at)
        SELECT ?1, json_array(time), time, true, time + ?3 FROM clock WHERE true
        ON CONFLICT (key) DO UPDATE SET (hits, asked_at, passed, expires_at) = (
            WITH monotonic AS (
                SELECT CASE WHEN log.asked_at BETWEEN time AND time + ?3 THEN log.asked_at ELSE time END AS now
                FROM clock
            ), evicted AS MATERIALIZED (
                SELECT now, (
                    SELECT json_group_array(value) FROM json_each(log.hits) WHERE value > now - ?3 AND value <= now
                ) AS recent
                FROM monotonic
            ), judged AS (
                SELECT now, recent, json_array_length(recent) < ?2 AS has_room FROM evicted
            ), logged AS (
                SELECT now, has_room, CASE WHEN has_room THEN json_insert(recent, '$[#]', now) ELSE recent END AS kept
                FROM judged
            )
            SELECT kept, now, has_room, json_extract(kept, '$[#-1]') + ?3 FROM logged
        )
        RETURNING passed, json_array_length(hits),
            asked_at - json_extract(hits, '$[' || max(0, json_array_length(hits) - ?2) || ']'),
            asked_at - json_extract(hits, '$[#-1]')
    """,
}

# Parameters: as above. Result: the first row is the number of calls in the log, the age of the call that must expire
# before another one passes, and the age of the latest call; there is no row or a count of 0 if the log is empty.
_PEEK = {
    "postgres": """
        SELECT cardinality(recent), now - recent[greatest(1, cardinality(recent) - $2 + 1)],
            now - recent[cardinality(recent)]
        FROM (
            SELECT now, hits[width_bucket(now - $3, hits) + 1 : width_bucket(now, hits)] AS recent
            FROM (
                SELECT hits, CASE WHEN asked_at BETWEEN time AND time + $3 THEN asked_at ELSE time END AS now
                FROM rate_limits,
                    (SELECT floor(extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS time OFFSET 0) AS clock
                WHERE key = $1
            ) AS monotonic
        ) AS evicted
    """,
    "sqlite": """
        WITH clock AS MATERIALIZED (SELECT microseconds() AS time), monotonic AS MATERIALIZED (
            SELECT hits, CASE WHEN asked_at BETWEEN time AND time + ?3 THEN asked_at ELSE time END AS now
            FROM rate_limits, clock WHERE key = ?1
        ), evicted AS MATERIALIZED (
            SELECT now, (
                SELECT json_group_array(value) FROM json_each(hits) WHERE value > now - ?3 AND value <= now
            ) AS recent
            FROM monotonic
        )
        SELECT json_array_length(recent),
            now - json_extract(recent, '$[' || max(0, json_array_length(recent) - ?2) || ']'),
            now - json_extract(recent, '$[#-1]')
        FROM evicted
    """,
}

# Skips locked rows until the next sweep, so that sweeps and calls don't wait for each other.
_SWEEP = {
    "postgres": """
        DELETE FROM rate_limits WHERE key = ANY (ARRAY(
            SELECT key FROM rate_limits WHERE expires_at <= extract(epoch FROM clock_timestamp()) * 1000000
            LIMIT $1 FOR UPDATE SKIP LOCKED
        )) RETURNING key
    """,
    "sqlite": """
        DELETE FROM rate_limits WHERE key IN (
            SELECT key FROM rate_limits WHERE expires_at <= microseconds() LIMIT ?1
        ) RETURNING key
    """,
}


class PiccoloRateLimiter(RateLimiter):
    """An exact sliding log per key, in the database; a call is one round trip.

    While it is open it removes expired logs. The cost of a call grows with the limit's number of requests.

    Args:
        database: Must be open and migrated at the first call.
        sweep_seconds: The pause between two removals of expired logs.
    """

    def __init__(self, *, database: PiccoloDatabase, sweep_seconds: float = 30.0) -> None:
        self._database = database
        self._sweep_seconds = sweep_seconds
        self._hit, self._peek = _HIT[database.dialect], _PEEK[database.dialect]
        self._sweep = _SWEEP[database.dialect]
        self._sweeping: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Starts removing expired logs."""
        self._sweeping = asyncio.create_task(self._keep_sweeping())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._sweeping is not None:
            self._sweeping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._sweeping

    async def hit(self, key: str, limit: RateLimit) -> LimitState:
        ((passed, *log),) = await self._database.run(self._hit, *_parameters(key, limit))
        return _state_of(limit, *log, allowed=bool(passed))

    async def peek(self, key: str, limit: RateLimit) -> LimitState:
        log = next(iter(await self._database.run(self._peek, *_parameters(key, limit))), None)
        if log is None or not log[0]:
            return LimitState.unused(limit)
        return _state_of(limit, *log, allowed=log[0] < limit.requests)

    async def sweep(self) -> None:
        """Removes expired logs, in batches small enough not to delay calls."""
        while len([*await self._database.run(self._sweep, _MAX_SWEEP)]) == _MAX_SWEEP:
            pass

    async def _keep_sweeping(self) -> None:
        while True:
            await asyncio.sleep(self._sweep_seconds)
            try:
                await self.sweep()
            except StorageUnavailableError:
                _logger.debug("The database doesn't respond: expired logs of the rate limiter are not removed yet")
            except Exception:
                _logger.exception("Removing the rate limiter's expired logs failed")


def _parameters(key: str, limit: RateLimit) -> tuple[str, int, int]:
    return key, limit.requests, limit.seconds * _MICROSECONDS


def _state_of(limit: RateLimit, hits: int, blocking: int, newest: int, *, allowed: bool) -> LimitState:
    return LimitState.of_window(
        limit, hits, blocking=blocking / _MICROSECONDS, newest=newest / _MICROSECONDS, allowed=allowed
    )
