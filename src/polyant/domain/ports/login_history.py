"""Port: the places that accounts have logged in from."""

from abc import abstractmethod
from collections.abc import Collection
from datetime import datetime
from typing import Protocol, runtime_checkable


@runtime_checkable
class LoginHistory(Protocol):
    """Remembers successful logins, each for a time.

    A login is known only by its fingerprint, a keyed hash of the account and the network, so that the store reveals
    neither. Each method raises StorageUnavailableError when the store is unavailable.
    """

    @abstractmethod
    async def add(self, fingerprint: str, *, now: datetime, expires_at: datetime) -> None:
        """Remembers a login until `expires_at`, and removes the logins that had expired by `now`.

        A login that is remembered already gets the new time. Concurrent calls all succeed.
        """

    @abstractmethod
    async def contains(self, fingerprints: Collection[str], *, now: datetime) -> bool:
        """Returns whether a login with one of the fingerprints is remembered and `now` is before its expiry."""
