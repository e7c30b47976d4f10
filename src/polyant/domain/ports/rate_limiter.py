"""Port: may this client call now, and when again?"""

from abc import abstractmethod
from typing import Protocol, runtime_checkable

from polyant.domain.limits import LimitState, RateLimit


@runtime_checkable
class RateLimiter(Protocol):
    """A sliding log: no window of `limit.seconds` ever holds more than `limit.requests` calls of one key."""

    @abstractmethod
    async def hit(self, key: str, limit: RateLimit) -> LimitState:
        """Counts one call of `key` and returns whether it passes.

        A refused call isn't counted and doesn't lengthen the wait. Keys don't affect each other. A call leaves the log
        `limit.seconds` after it was counted, and a key whose log is empty takes no room. When a key comes with another
        limit than before, the calls still in its log count against the new one. `remaining` counts the calls that
        would still pass now, `retry_after` is 0 while there is one and else the whole seconds, rounded up, until the
        next passes, `reset_after` the whole seconds, rounded up, until the log is empty.

        Raises:
            StorageUnavailableError: The log is shared and can't be reached.
        """
