"""Port: which sessions are open?"""

from abc import abstractmethod
from datetime import datetime
from typing import Protocol, runtime_checkable

from polyant.domain.users import StoredSession, User, UserId


@runtime_checkable
class SessionRepo(Protocol):
    """Keeps the sessions that were issued, until they end; the users are those of the UserRepo of the same store.

    Each method raises StorageUnavailableError when the store doesn't answer.
    """

    @abstractmethod
    async def add(self, session: StoredSession, *, now: datetime) -> None:
        """Stores a session, with a token id of its own; those that had expired by `now` take no room any more."""

    @abstractmethod
    async def user_of(self, token_id: str, *, now: datetime) -> User | None:
        """Returns the user of an open session as last stored, None if it ended, expired, or the user is gone.

        A session has expired at its `expires_at`.
        """

    @abstractmethod
    async def end(self, token_id: str) -> None:
        """Ends a session; one that isn't there is ended already."""

    @abstractmethod
    async def end_all(self, user_id: UserId, *, but: str | None = None) -> None:
        """Ends every session of a user, except that with the token id `but`."""
