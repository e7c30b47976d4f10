"""Port: storage of open sessions."""

from abc import abstractmethod
from datetime import datetime
from typing import Protocol, runtime_checkable

from polyant.domain.audit import AuditEntry
from polyant.domain.users import StoredSession, User, UserId


@runtime_checkable
class SessionRepo(Protocol):
    """Stores issued sessions until they end; their users are those of the UserRepo of the same store.

    An `audit` entry is stored in the same transaction as the change it describes, and the AuditLog of the same store
    lists it. When the change is refused, neither is stored.

    Each method raises StorageUnavailableError when the store is unavailable.
    """

    @abstractmethod
    async def add(
        self, session: StoredSession, *, user_version: int, now: datetime, audit: AuditEntry | None = None
    ) -> None:
        """Stores a session, which has a unique token id, and removes the sessions that had expired by `now`.

        A concurrent change that ends the user's sessions either ends this session too or causes it to be refused.

        Raises:
            UnknownUserError: The user no longer exists; nothing is stored.
            UserChangedError: The stored user's version differs from `user_version`; nothing is stored.
        """

    @abstractmethod
    async def user_of(self, token_id: str, *, now: datetime) -> User | None:
        """Returns the user of an open session as last stored, or None if the session isn't open.

        A session is open until it ends, its user is deleted, or `now` reaches its `expires_at`.
        """

    @abstractmethod
    async def end(self, token_id: str, *, audit: AuditEntry | None = None) -> None:
        """Ends a session; does nothing if it doesn't exist."""

    @abstractmethod
    async def end_all(self, user_id: UserId, *, audit: AuditEntry | None = None) -> None:
        """Ends every session of a user."""
