"""A RateLimiter in the memory of one process."""

from collections import OrderedDict, deque

from polyant.domain.limits import LimitState, RateLimit
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.rate_limiter import RateLimiter

_MAX_SWEEP = 100


class MemoryRateLimiter(RateLimiter):
    """An exact sliding log per key, not shared between workers."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        # Ordered by the latest counted call, so that keys with expired logs come first.
        self._logs: OrderedDict[str, _Log] = OrderedDict()

    async def hit(self, key: str, limit: RateLimit) -> LimitState:
        now = self._clock.monotonic()
        self._sweep(now)
        log = self._logs.get(key)
        if log is None:
            log = self._logs[key] = _Log()
        log.seconds = limit.seconds
        log.evict(now)
        hits = log.hits
        allowed = len(hits) < limit.requests
        if allowed:
            hits.append(now)
            self._logs.move_to_end(key)
        blocking = hits[max(0, len(hits) - limit.requests)]
        return LimitState.of_window(limit, len(hits), blocking=now - blocking, newest=now - hits[-1], allowed=allowed)

    def _sweep(self, now: float) -> None:
        """Drops keys with an empty log: more than one call can add, but few enough to keep each call fast."""
        for _ in range(min(_MAX_SWEEP, len(self._logs))):
            key, log = next(iter(self._logs.items()))
            if now - log.hits[-1] < log.seconds:
                return
            del self._logs[key]


class _Log:
    """The unexpired calls of one key, oldest first, and the window of its latest limit, in seconds."""

    __slots__ = ("hits", "seconds")

    def __init__(self) -> None:
        self.hits: deque[float] = deque()
        self.seconds = 0

    def evict(self, now: float) -> None:
        while self.hits and now - self.hits[0] >= self.seconds:
            self.hits.popleft()
