"""Port: who may manage instances?"""

from abc import abstractmethod
from typing import Protocol, runtime_checkable

from polyant.domain.audit import AuditEntry
from polyant.domain.users import Email, SessionRevocation, User, UserId, UserPage


@runtime_checkable
class UserRepo(Protocol):
    """Keeps users.

    An `audit` entry is stored together with the change that it tells of, where the AuditLog of the same store finds
    it; when the change is refused, neither is. However many write at once, an active superadmin always stays, once
    there is one.

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
        """Returns the users whose address contains the search text, in upper or lower case, ordered by address.

        `limit` and `offset` cut the page, `total` counts without them.
        """

    @abstractmethod
    async def add(self, user: User, *, audit: AuditEntry | None = None) -> User:
        """Stores a new user and returns it with version 1.

        Raises:
            UserExistsError: The address is taken; nothing is stored. Of several at once exactly one succeeds.
        """

    @abstractmethod
    async def save(self, user: User, *, ends: SessionRevocation | None = None, audit: AuditEntry | None = None) -> User:
        """Stores a changed user over its earlier state and returns it with its version counted up.

        Id and creation time stay as they were stored. Together with the change those sessions of the user end that the
        SessionRepo of the same store has and `ends` tells of; without it they go on.

        Raises:
            UnknownUserError: It isn't there any more.
            UserChangedError: What is stored no longer has the version that `user` was read with; nothing is stored. Of
                several at once exactly one succeeds.
            UserExistsError: The address is another user's; nothing is stored.
            LastSuperadminError: It was the last active superadmin and no longer is one; nothing is stored.
        """

    @abstractmethod
    async def delete(self, user_id: UserId, *, version: int | None = None, audit: AuditEntry | None = None) -> None:
        """Removes the user and all sessions of it that the SessionRepo of the same store has.

        Raises:
            UnknownUserError: There is none.
            UserChangedError: What is stored doesn't have the version that is given; nothing is removed.
            LastSuperadminError: It is the last active superadmin; nothing is removed.
        """
