"""Rate limits by client address, and the headers that report them."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from litestar.types import Scope

from polyant.domain.errors import RateLimitedError
from polyant.domain.failed_credentials import FailedCredentialLimit
from polyant.domain.login_limits import LoginLimits
from polyant.domain.ports.rate_policy import RateCaller
from polyant.domain.rate_limits import CallerLimits
from polyant.domain.secrets import SecretText
from polyant.http.client_address import client_key, scheme_of
from polyant.http.metrics import Metrics
from polyant.http.record import record_of

T = TypeVar("T")


class Throttle:
    """Applies the rate limits for chat requests, invalid credentials and logins.

    Args:
        limits: Counts chat requests by client address.
        failed_credentials: Limits the invalid credentials.
        logins: Limits the logins.
        trusted_hops: The number of trusted proxies.
        metrics: Counts the throttled chat requests.
    """

    def __init__(
        self,
        limits: CallerLimits,
        failed_credentials: FailedCredentialLimit,
        logins: LoginLimits,
        *,
        trusted_hops: int,
        metrics: Metrics,
    ) -> None:
        self._limits = limits
        self._failed_credentials = failed_credentials
        self._logins = logins
        self._metrics = metrics
        self._trusted_hops = trusted_hops

    def key_of(self, scope: Scope) -> str:
        """Returns the address or network that identifies the client in rate limits."""
        return client_key(scope, trusted_hops=self._trusted_hops)

    def is_secure(self, scope: Scope) -> bool:
        """Returns whether the client sent the request over https."""
        return scheme_of(scope, trusted_hops=self._trusted_hops) == "https"

    async def chat(self, scope: Scope) -> str:
        """Counts a chat request, adds the rate limit headers to the response, and returns the client's `key_of`.

        Raises:
            RateLimitedError: The client exceeded its limit.
        """
        address = self.key_of(scope)
        state = await self._limits.count(RateCaller(address=address))
        if state is None:
            return address
        if state.counted:
            record_of(scope).headers += [
                (b"x-ratelimit-limit", b"%d" % state.limit),
                (b"x-ratelimit-remaining", b"%d" % state.remaining),
                (b"x-ratelimit-reset", b"%d" % state.reset_after),
            ]
        if not state.allowed:
            self._metrics.throttled()
            raise RateLimitedError(retry_after=state.retry_after)
        return address

    async def checked(self, scope: Scope, credential: SecretText, check: Callable[[], Awaitable[T]]) -> T:
        """Returns the result of the check of a credential of the request, see `FailedCredentialLimit.checked`."""
        return await self._failed_credentials.checked(credential, check, network=self.key_of(scope))

    async def login(self, scope: Scope) -> None:
        """Counts a login.

        Raises:
            RateLimitedError: This network made too many.
        """
        await self._logins.count_request(self.key_of(scope))
