"""A RateLimiter in the memory of one process."""

from collections import OrderedDict, defaultdict, deque
from collections.abc import Sequence

from polyant.domain.limits import LimitState, RateLimit
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.rate_limiter import RateLimiter

_MAX_SWEEP = 100


class MemoryRateLimiter(RateLimiter):
    """An exact sliding log per key, not shared between workers."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        # By window in seconds. The logs of a window are ordered by their latest counted call, so that expired logs come
        # first. With logs of several windows in one order, a long window would keep the logs behind it in memory.
        self._windows: defaultdict[int, OrderedDict[str, deque[float]]] = defaultdict(OrderedDict)

    @property
    def held_keys(self) -> int:
        """The number of keys in memory."""
        return sum(map(len, self._windows.values()))

    async def hit(self, key: str, limit: RateLimit) -> LimitState:
        now = self._clock.monotonic()
        self._sweep(now)
        hits = self._hits_of(key, limit.seconds)
        while hits and now - hits[0] >= limit.seconds:
            hits.popleft()
        allowed = len(hits) < limit.requests
        if allowed:
            hits.append(now)
            self._windows[limit.seconds].move_to_end(key)
        return _state_of(limit, hits, now, allowed=allowed)

    async def peek(self, key: str, limit: RateLimit) -> LimitState:
        now = self._clock.monotonic()
        logged = next((logs[key] for logs in self._windows.values() if key in logs), ())
        hits = [hit for hit in logged if now - hit < limit.seconds]
        return _state_of(limit, hits, now, allowed=len(hits) < limit.requests)

    def _hits_of(self, key: str, seconds: int) -> deque[float]:
        """Returns the calls of a key, oldest first; moves them to another window if the limit has changed."""
        logs = self._windows[seconds]
        if key not in logs:
            logs[key] = next((others.pop(key) for others in self._windows.values() if key in others), deque())
        return logs[key]

    def _sweep(self, now: float) -> None:
        """Drops keys with an empty log: more than one call can add, but few enough to keep each call fast."""
        for seconds, logs in self._windows.items():
            for _ in range(min(_MAX_SWEEP, len(logs))):
                key, hits = next(iter(logs.items()))
                if now - hits[-1] < seconds:
                    break
                del logs[key]


def _state_of(limit: RateLimit, hits: Sequence[float], now: float, *, allowed: bool) -> LimitState:
    if not hits:
        return LimitState.unused(limit)
    blocking = hits[max(0, len(hits) - limit.requests)]
    return LimitState.of_window(limit, len(hits), blocking=now - blocking, newest=now - hits[-1], allowed=allowed)
