"""Calls pass, uncounted, while the limiter behind can't reach its log."""

import logging

from polyant.domain.errors import StorageUnavailableError
from polyant.domain.limits import LimitState, RateLimit
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.rate_limiter import RateLimiter

_logger = logging.getLogger(__name__)

_SILENT_SECONDS = 60.0


class FailOpenRateLimiter(RateLimiter):
    """Says what the limiter behind says or, where that fails, that the call passes; the log tells it once a minute."""

    def __init__(self, inner: RateLimiter, *, clock: Clock) -> None:
        self._inner = inner
        self._clock = clock
        self._uncounted = 0
        self._noted_at = float("-inf")

    async def hit(self, key: str, limit: RateLimit) -> LimitState:
        try:
            return await self._inner.hit(key, limit)
        except StorageUnavailableError:
            self._note()
            return LimitState.uncounted(limit)

    def _note(self) -> None:
        self._uncounted += 1
        now = self._clock.monotonic()
        if now - self._noted_at >= _SILENT_SECONDS:
            _logger.warning("The rate limiter can't reach its log: calls uncounted so far: %d", self._uncounted)
            self._noted_at = now
