"""Port: which sessions are open?"""

from abc import abstractmethod
from datetime import datetime
from typing import Protocol, runtime_checkable

from polyant.domain.audit import AuditEntry
from polyant.domain.users import StoredSession, User, UserId


@runtime_checkable
class SessionRepo(Protocol):
    """Keeps the sessions that were issued, until they end; the users are those of the UserRepo of the same store.

    An `audit` entry is stored together with the change that it tells of, where the AuditLog of the same store finds
    it; when the change is refused, neither is.

    Each method raises StorageUnavailableError when the store doesn't answer.
    """

    @abstractmethod
    async def add(
        self, session: StoredSession, *, user_version: int, now: datetime, audit: AuditEntry | None = None
    ) -> None:
        """Stores a session, with a token id of its own; those that had expired by `now` take no room any more.

        A change to the user that ends the user's sessions either ends this one as well or has it refused.

        Raises:
            UnknownUserError: The user isn't there any more; nothing is stored.
            UserChangedError: What is stored of the user no longer has that version; nothing is stored.
        """

    @abstractmethod
    async def user_of(self, token_id: str, *, now: datetime) -> User | None:
        """Returns the user of an open session as last stored, None if it ended, expired, or the user is gone.

        A session has expired at its `expires_at`.
        """

    @abstractmethod
    async def end(self, token_id: str, *, audit: AuditEntry | None = None) -> None:
        """Ends a session; one that isn't there is ended already."""

    @abstractmethod
    async def end_all(self, user_id: UserId, *, audit: AuditEntry | None = None) -> None:
        """Ends every session of a user."""
