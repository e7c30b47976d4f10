"""Allows calls, uncounted, while the inner limiter can't reach its log."""

import logging
from collections.abc import Awaitable

from polyant.domain.errors import StorageUnavailableError
from polyant.domain.limits import LimitState, RateLimit
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.rate_limiter import RateLimiter

_logger = logging.getLogger(__name__)

_LOG_INTERVAL_SECONDS = 60.0


class FailOpenRateLimiter(RateLimiter):
    """Returns the inner limiter's decision; if the limiter fails, allows the call and logs this once a minute."""

    def __init__(self, inner: RateLimiter, *, clock: Clock) -> None:
        self._inner = inner
        self._clock = clock
        self._uncounted = 0
        self._logged_at = float("-inf")

    async def hit(self, key: str, limit: RateLimit) -> LimitState:
        return await self._or_uncounted(self._inner.hit(key, limit), limit)

    async def peek(self, key: str, limit: RateLimit) -> LimitState:
        return await self._or_uncounted(self._inner.peek(key, limit), limit)

    async def _or_uncounted(self, decision: Awaitable[LimitState], limit: RateLimit) -> LimitState:
        try:
            return await decision
        except StorageUnavailableError:
            self._log_outage()
            return LimitState.uncounted(limit)

    def _log_outage(self) -> None:
        self._uncounted += 1
        now = self._clock.monotonic()
        if now - self._logged_at >= _LOG_INTERVAL_SECONDS:
            _logger.warning("The rate limiter can't reach its log: calls uncounted so far: %d", self._uncounted)
            self._logged_at = now
