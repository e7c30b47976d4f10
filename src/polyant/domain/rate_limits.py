"""The limits of callers: which caller is counted, and against which limits."""

import msgspec

from polyant.domain.errors import RateLimitedError
from polyant.domain.limits import LimitState, RateLimit
from polyant.domain.ports.rate_limiter import RateLimiter
from polyant.domain.ports.rate_policy import RateCaller, RatePolicy


class RateLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The operator's limits; None for no limit."""

    address: RateLimit | None = None
    """For chat requests of one client address."""
    channel_user: RateLimit | None = RateLimit(20, 600)
    """For the turns of one user of a channel."""
    channel_instance: RateLimit | None = RateLimit(600, 600)
    """For the turns of all channel users of an instance together."""


class CallerLimits:
    """Counts calls against the limits that the policy names.

    Args:
        policy: Says which limits apply.
        limiter: Counts.
    """

    def __init__(self, *, policy: RatePolicy, limiter: RateLimiter) -> None:
        self._policy = policy
        self._limiter = limiter

    async def count(self, caller: RateCaller) -> LimitState | None:
        """Counts a call, and returns the state of the limit that is nearest to its end; None if no limit applies.

        If a limit is exceeded, the limits after it aren't counted.

        Raises:
            StorageUnavailableError: The limiter's log is unreachable.
        """
        nearest: LimitState | None = None
        for each in self._policy.limits_of(caller):
            state = await self._limiter.hit(each.key, each.limit)
            if not state.allowed:
                return state
            if nearest is None or state.remaining < nearest.remaining:
                nearest = state
        return nearest

    async def require(self, caller: RateCaller) -> None:
        """Counts a call.

        Raises:
            RateLimitedError: A limit is exceeded.
            StorageUnavailableError: The limiter's log is unreachable.
        """
        state = await self.count(caller)
        if state is not None and not state.allowed:
            raise RateLimitedError(retry_after=state.retry_after)
