"""Throttling by client address and by account, and the headers that tell a caller where it stands."""

import hashlib

from litestar.types import Scope

from polyant.domain.errors import RateLimitedError
from polyant.domain.limits import RateLimit
from polyant.domain.ports.rate_limiter import RateLimiter
from polyant.http.client_address import client_key
from polyant.http.metrics import Metrics
from polyant.http.record import record_of

_FAILED_CREDENTIALS = RateLimit(30, 60)
LOGIN_LIMIT = RateLimit(5, 60)


class Throttle:
    """Counts calls by client address."""

    def __init__(
        self, limiter: RateLimiter, *, chat_limit: RateLimit | None, trusted_hops: int, metrics: Metrics
    ) -> None:
        self._limiter = limiter
        self._metrics = metrics
        self._chat_limit = chat_limit
        self._trusted_hops = trusted_hops

    def key_of(self, scope: Scope) -> str:
        """Returns the address or network that the client is counted by."""
        return client_key(scope, trusted_hops=self._trusted_hops)

    async def chat(self, scope: Scope) -> None:
        """Counts a chat request and notes the limit's headers for the answer, whatever it will be.

        Raises:
            RateLimitedError: The client is over its limit.
        """
        if self._chat_limit is None:
            return
        key = f"chat:{self.key_of(scope)}"
        state = await self._limiter.hit(key, self._chat_limit)
        if state.counted:
            record_of(scope).headers += [
                (b"x-ratelimit-limit", b"%d" % state.limit),
                (b"x-ratelimit-remaining", b"%d" % state.remaining),
                (b"x-ratelimit-reset", b"%d" % state.reset_after),
            ]
        if not state.allowed:
            self._metrics.throttled()
            raise RateLimitedError(retry_after=state.retry_after)

    async def failed_credential(self, scope: Scope) -> None:
        """Counts a credential that was worth nothing.

        Raises:
            RateLimitedError: There were too many from this address.
        """
        await self._count(f"credential:{self.key_of(scope)}", _FAILED_CREDENTIALS)

    async def login(self, scope: Scope, email: str) -> None:
        """Counts an attempt to prove that one knows the password of an account.

        Raises:
            RateLimitedError: There were too many from this address, or for this account.
        """
        await self._count(f"login:{self.key_of(scope)}", LOGIN_LIMIT)
        account = hashlib.sha256(email.strip().lower().encode("utf-8", "replace")).hexdigest()  # any text, short
        await self._count(f"login:{account}", LOGIN_LIMIT)

    async def _count(self, key: str, limit: RateLimit) -> None:
        state = await self._limiter.hit(key, limit)
        if not state.allowed:
            raise RateLimitedError(retry_after=state.retry_after)
