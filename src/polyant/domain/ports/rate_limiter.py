"""Port: rate limiting."""

from abc import abstractmethod
from typing import Protocol, runtime_checkable

from polyant.domain.limits import LimitState, RateLimit


@runtime_checkable
class RateLimiter(Protocol):
    """A sliding log: no window of `limit.seconds` ever holds more than `limit.requests` calls of one key."""

    @abstractmethod
    async def hit(self, key: str, limit: RateLimit) -> LimitState:
        """Counts one call of `key` and returns whether it passes.

        - A refused call isn't counted and doesn't extend the wait.
        - Keys are independent of each other. A key with an empty log uses no memory or storage.
        - A call leaves the log `limit.seconds` after it was counted.
        - When the limit of a key changes, the calls still in its log count against the new limit.
        - `remaining` is the number of calls that would still pass now.
        - `retry_after` is 0 while a call would pass, otherwise the seconds until the next one passes, rounded up.
        - `reset_after` is the seconds until the log is empty, rounded up.

        Raises:
            StorageUnavailableError: The log is shared and unreachable.
        """

    @abstractmethod
    async def peek(self, key: str, limit: RateLimit) -> LimitState:
        """Returns the state of `key` without counting a call.

        `allowed` says whether a call would pass now; the other numbers are as after the latest call of `hit`.

        Raises:
            StorageUnavailableError: The log is shared and unreachable.
        """
