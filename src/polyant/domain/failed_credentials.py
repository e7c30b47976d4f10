"""The limit of failed credentials from one network."""

import asyncio
import hashlib
import math
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar
from weakref import WeakValueDictionary

from polyant.domain.access import InvalidCredentialError
from polyant.domain.errors import RateLimitedError
from polyant.domain.limits import LimitState, RateLimit
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.rate_limiter import RateLimiter
from polyant.domain.ports.session_tokens import SessionTokens
from polyant.domain.ports.token_source import TokenSource
from polyant.domain.secrets import SecretText

FAILED_CREDENTIALS = RateLimit(30, 60)
"""The failed credentials of one network."""

PROVEN_SECONDS = 24 * 60 * 60
MAX_PROVEN = 10_000
_MAX_REFUSED_NETWORKS = 10_000
_DIGEST_BYTES = 16

T = TypeVar("T")


class FailedCredentialLimit:
    """Refuses the credentials of a network that sent too many invalid ones, without looking them up.

    A credential that was valid for a request from the same network within 24 hours stays usable. This process keeps the
    latest 10,000 pairs of a network and a valid credential, hashed with a random key that only it knows.

    A session token with a valid signature is no guess: over the limit, it is checked like a proven credential.

    The credentials of one network that aren't proven are checked one after the other, so that concurrent guesses don't
    exceed the limit. All workers share the count; each has its own proven credentials.
    """

    def __init__(
        self, *, limiter: RateLimiter, clock: Clock, tokens: TokenSource, session_tokens: SessionTokens
    ) -> None:
        self._limiter = limiter
        self._session_tokens = session_tokens
        self._clock = clock
        self._key = tokens.api_key().reveal().encode()
        self._proven = _ExpiringKeys(max_keys=MAX_PROVEN)
        self._refused = _ExpiringKeys(max_keys=_MAX_REFUSED_NETWORKS)
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def checked(self, credential: SecretText, check: Callable[[], Awaitable[T]], *, network: str) -> T:
        """Returns the result of the check of a credential.

        If the check raises nothing, the credential is proven for the network. InvalidCredentialError counts as a
        failure; other errors neither count nor prove.

        Args:
            credential: The credential.
            check: Looks the credential up, and raises InvalidCredentialError for an invalid one.
            network: The network that sent it.

        Raises:
            RateLimitedError: The network sent too many invalid credentials, and this one is neither proven nor a
                session token with a valid signature. Nothing is looked up.
            StorageUnavailableError: The limiter's log is unreachable.
        """
        pair = self._pair(credential, network)
        is_proven = self._proven.seconds_left(pair, self._clock.monotonic())
        lock = None if is_proven else await self._turn_of(credential, network)
        try:
            result = await check()
        except InvalidCredentialError:
            await self._count_failure(network)
            raise
        else:
            self._proven.add(pair, self._clock.monotonic() + PROVEN_SECONDS)
        finally:
            if lock is not None:
                lock.release()
        return result

    async def _turn_of(self, credential: SecretText, network: str) -> asyncio.Lock | None:
        """Waits for the turn of a credential that isn't proven, and returns the lock to release.

        It returns None for a session token of a network over its limit.
        """
        lock = self._locks.setdefault(network, asyncio.Lock())
        await lock.acquire()
        try:
            await self._require_room(network)
        except RateLimitedError:
            lock.release()
            if self._session_tokens.verify(credential) is None:
                raise
            return None
        except BaseException:
            lock.release()
            raise
        return lock

    async def _count_failure(self, network: str) -> None:
        """Counts a failed credential of the network, unless it is known to be over the limit."""
        if not self._refused.seconds_left(network, self._clock.monotonic()):
            state = await self._limiter.hit(_key_of(network), FAILED_CREDENTIALS)
            with suppress(RateLimitedError):  # it was checked, so its sender learns that it is invalid
                self._require_allowed(network, state)

    async def _require_room(self, network: str) -> None:
        """Returns if the network may fail once more; calls the limiter only if this process doesn't know better."""
        seconds = self._refused.seconds_left(network, self._clock.monotonic())
        if seconds:
            raise RateLimitedError(retry_after=math.ceil(seconds))
        self._require_allowed(network, await self._limiter.peek(_key_of(network), FAILED_CREDENTIALS))

    def _require_allowed(self, network: str, state: LimitState) -> None:
        if not state.allowed:
            self._refused.add(network, self._clock.monotonic() + state.retry_after)
            raise RateLimitedError(retry_after=state.retry_after)

    def _pair(self, credential: SecretText, network: str) -> bytes:
        text = f"{len(network)}:{network}{credential.reveal()}".encode("utf-8", "surrogatepass")
        return hashlib.blake2b(text, key=self._key, digest_size=_DIGEST_BYTES).digest()


class _ExpiringKeys:
    """A bounded set of keys that expire; the least recently added ones make room for new ones."""

    def __init__(self, *, max_keys: int) -> None:
        self._max_keys = max_keys
        self._ends: OrderedDict[str | bytes, float] = OrderedDict()

    def add(self, key: str | bytes, ends: float) -> None:
        """Adds the key, or postpones its end."""
        self._ends[key] = ends
        self._ends.move_to_end(key)
        if len(self._ends) > self._max_keys:
            self._ends.popitem(last=False)

    def seconds_left(self, key: str | bytes, now: float) -> float:
        """Returns the time until the key's end; 0 if it has none."""
        left = self._ends.get(key, now) - now
        if left <= 0:
            self._ends.pop(key, None)
        return max(0.0, left)


def _key_of(network: str) -> str:
    return f"credential:{network}"
