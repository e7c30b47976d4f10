"""Throttling by client address, and the headers that tell a caller where it stands."""

from litestar.types import Scope

from polyant.domain.errors import RateLimitedError
from polyant.domain.limits import RateLimit
from polyant.domain.ports.rate_limiter import RateLimiter
from polyant.http.client_address import client_key
from polyant.http.record import record_of

_FAILED_CREDENTIALS = RateLimit(30, 60)


class Throttle:
    """Counts calls by client address."""

    def __init__(self, limiter: RateLimiter, *, chat_limit: RateLimit | None, trusted_hops: int) -> None:
        self._limiter = limiter
        self._chat_limit = chat_limit
        self._trusted_hops = trusted_hops

    async def chat(self, scope: Scope) -> None:
        """Counts a chat request and notes the limit's headers for the answer, whatever it will be.

        Raises:
            RateLimitedError: The client is over its limit.
        """
        if self._chat_limit is None:
            return
        key = f"chat:{client_key(scope, trusted_hops=self._trusted_hops)}"
        state = await self._limiter.hit(key, self._chat_limit)
        record_of(scope).headers += [
            (b"x-ratelimit-limit", b"%d" % state.limit),
            (b"x-ratelimit-remaining", b"%d" % state.remaining),
            (b"x-ratelimit-reset", b"%d" % state.reset_after),
        ]
        if not state.allowed:
            raise RateLimitedError(retry_after=state.retry_after)

    async def failed_credential(self, scope: Scope) -> None:
        """Counts a credential that was worth nothing.

        Raises:
            RateLimitedError: There were too many from this address.
        """
        key = f"credential:{client_key(scope, trusted_hops=self._trusted_hops)}"
        state = await self._limiter.hit(key, _FAILED_CREDENTIALS)
        if not state.allowed:
            raise RateLimitedError(retry_after=state.retry_after)
