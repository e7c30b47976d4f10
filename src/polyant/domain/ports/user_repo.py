"""Port: storage of users."""

from abc import abstractmethod
from typing import Protocol, runtime_checkable

from polyant.domain.audit import AuditEntry
from polyant.domain.users import Email, SessionRevocation, User, UserId, UserPage


@runtime_checkable
class UserRepo(Protocol):
    """Stores users.

    An `audit` entry is stored in the same transaction as the change it describes, and the AuditLog of the same store
    lists it. When the change is refused, neither is stored. Once there is an active superadmin, at least one always
    remains, even under concurrent writes.

    Each method raises StorageUnavailableError when the store is unavailable. A completed write survives a crash.
    """

    @abstractmethod
    async def get(self, user_id: UserId) -> User | None:
        """Returns the user as last stored, or None if it doesn't exist."""

    @abstractmethod
    async def find(self, email: Email) -> User | None:
        """Returns the user with that email address, or None if it doesn't exist."""

    @abstractmethod
    async def list(self, *, search: str = "", limit: int | None = None, offset: int = 0) -> UserPage:
        """Returns the users whose email address contains the search text, ignoring case, ordered by address.

        `limit` and `offset` select the page; `total` ignores them.
        """

    @abstractmethod
    async def add(self, user: User, *, audit: AuditEntry | None = None) -> User:
        """Stores a new user and returns it with version 1.

        Raises:
            UserExistsError: The email address is taken; nothing is stored. Of several concurrent calls, exactly one
                succeeds.
        """

    @abstractmethod
    async def save(self, user: User, *, ends: SessionRevocation | None = None, audit: AuditEntry | None = None) -> User:
        """Stores a changed user and returns it with its version incremented.

        The stored id and creation time never change. The sessions that `ends` selects, in the SessionRepo of the same
        store, end in the same transaction; without `ends`, no session ends.

        Raises:
            UnknownUserError: The user no longer exists.
            UserChangedError: The stored version differs from `user.version`; nothing is stored. Of several concurrent
                calls, exactly one succeeds.
            UserExistsError: Another user has the email address; nothing is stored.
            LastSuperadminError: The change would leave no active superadmin; nothing is stored.
        """

    @abstractmethod
    async def delete(self, user_id: UserId, *, version: int | None = None, audit: AuditEntry | None = None) -> None:
        """Deletes the user and all its sessions in the SessionRepo of the same store.

        Raises:
            UnknownUserError: The user doesn't exist.
            UserChangedError: The stored version differs from `version`; nothing is deleted.
            LastSuperadminError: The user is the last active superadmin; nothing is deleted.
        """
