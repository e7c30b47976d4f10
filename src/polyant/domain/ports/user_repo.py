"""Port: who may manage instances?"""

from abc import abstractmethod
from typing import Protocol, runtime_checkable

from polyant.domain.audit import AuditEntry
from polyant.domain.users import Email, User, UserId, UserPage


@runtime_checkable
class UserRepo(Protocol):
    """Keeps users. An `audit` entry is stored together with the change it tells of, or neither is.

    Each method raises StorageUnavailableError when the store doesn't answer; a write that returned survives a crash.
    """

    @abstractmethod
    async def get(self, user_id: UserId) -> User | None:
        """Returns the user as last stored, None if there is none."""

    @abstractmethod
    async def find(self, email: Email) -> User | None:
        """Returns the user with that address, None if there is none."""

    @abstractmethod
    async def list(self, *, search: str = "", limit: int | None = None, offset: int = 0) -> UserPage:
        """Returns the users whose address contains the search text, ordered by address."""

    @abstractmethod
    async def add(self, user: User, *, audit: AuditEntry | None = None) -> User:
        """Stores a new user and returns it with version 1.

        Raises:
            ConflictError: The address is taken; nothing is stored. Of several at once exactly one succeeds.
        """

    @abstractmethod
    async def save(self, user: User, *, audit: AuditEntry | None = None) -> User:
        """Stores a changed user and returns it with its version counted up; id and creation time stay.

        Raises:
            NotFoundError: It isn't there any more.
            PreconditionFailedError: What is stored has another version.
            ConflictError: The address is taken, or no active superadmin would be left.
        """

    @abstractmethod
    async def delete(self, user_id: UserId, *, audit: AuditEntry | None = None) -> None:
        """Removes the user and all its sessions.

        Raises:
            NotFoundError: There is none.
            ConflictError: It is the last active superadmin. Of several at once, one superadmin always stays.
        """
