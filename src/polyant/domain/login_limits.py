"""The limits of password attempts: for a network, for an account from one network, and for an account from anywhere."""

from datetime import timedelta

import msgspec

from polyant.domain.errors import RateLimitedError
from polyant.domain.limits import RateLimit
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.login_history import LoginHistory
from polyant.domain.ports.rate_limiter import RateLimiter
from polyant.domain.ports.secret_cipher import SecretCipher
from polyant.domain.secrets import SecretText
from polyant.domain.users import normalise_email

NETWORK_LIMIT = RateLimit(20, 60)
"""The logins from one network, whatever their account."""
ACCOUNT_LIMIT = RateLimit(5, 60)
"""The logins to one account from one network; also the password changes of one account."""
UNKNOWN_NETWORKS_LIMIT = RateLimit(30, 60 * 60)
"""The logins to one account from all networks that it hasn't logged in from lately."""
KNOWN_FOR = timedelta(days=30)
"""The time for which a network is known to an account after a successful login."""


class LoginOrigin(msgspec.Struct, frozen=True, kw_only=True):
    """The account and the network of a login, as keyed hashes."""

    account: str
    pairs: tuple[str, ...]
    """The fingerprints of the account and the network together: the current key's, then earlier ones."""
    is_known: bool
    """Whether the account logged in from the network within the last 30 days."""


class LoginLimits:
    """Limits password attempts so that nobody can guess fast, nor lock the owner of an account out.

    Strangers share the limit of unknown networks, which doesn't concern a network that the account has logged in from.
    An account that doesn't exist has the same limits, so that they don't reveal which accounts exist.
    """

    def __init__(self, *, limiter: RateLimiter, history: LoginHistory, cipher: SecretCipher, clock: Clock) -> None:
        self._limiter = limiter
        self._history = history
        self._cipher = cipher
        self._clock = clock

    async def count_request(self, network: str) -> None:
        """Counts a login from a network; call it before anything else of the request is read.

        Raises:
            RateLimitedError: There were too many.
            StorageUnavailableError: The limiter's log is unreachable.
        """
        await self._count(f"login:network:{network}", NETWORK_LIMIT)

    async def origin_of(self, email: str, *, network: str) -> LoginOrigin:
        """Returns the origin of a login.

        Raises:
            StorageUnavailableError: The login history is unavailable.
        """
        account = normalise_email(email)
        pairs = await self._cipher.fingerprints(SecretText(f"login {len(account)}:{account} {network}"))
        is_known = await self._history.contains(pairs, now=self._clock.now())
        return LoginOrigin(account=await self._account(account), pairs=pairs, is_known=is_known)

    async def count_attempt(self, origin: LoginOrigin) -> None:
        """Counts a login to an account.

        Raises:
            RateLimitedError: There were too many from this network, or from unknown networks if it is one.
            StorageUnavailableError: The limiter's log is unreachable.
        """
        await self._count(f"login:pair:{origin.pairs[0]}", ACCOUNT_LIMIT)
        if not origin.is_known:
            await self._count(f"login:account:{origin.account}", UNKNOWN_NETWORKS_LIMIT)

    async def remember(self, origin: LoginOrigin) -> None:
        """Makes the network known to the account, after the right password.

        Raises:
            StorageUnavailableError: The login history is unavailable.
        """
        now = self._clock.now()
        await self._history.add(origin.pairs[0], now=now, expires_at=now + KNOWN_FOR)

    async def count_password_change(self, email: str) -> None:
        """Counts the change of an account's password by its owner, which also verifies the current one.

        Raises:
            RateLimitedError: There were too many for this account.
            StorageUnavailableError: The limiter's log is unreachable.
        """
        account = await self._account(normalise_email(email))
        await self._count(f"password:minute:{account}", ACCOUNT_LIMIT)
        await self._count(f"password:hour:{account}", UNKNOWN_NETWORKS_LIMIT)

    async def _account(self, account: str) -> str:
        return (await self._cipher.fingerprints(SecretText(f"account {account}")))[0]

    async def _count(self, key: str, limit: RateLimit) -> None:
        state = await self._limiter.hit(key, limit)
        if not state.allowed:
            raise RateLimitedError(retry_after=state.retry_after)
