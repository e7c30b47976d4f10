"""Port: who changed what, and when?"""

from abc import abstractmethod
from typing import Protocol, runtime_checkable

from polyant.domain.audit import AuditEntry, AuditPage, AuditQuery


@runtime_checkable
class AuditLog(Protocol):
    """Keeps the trail of changes; what tells of an instance, a user or a session is stored by the repos of these.

    Each method raises StorageUnavailableError when the store doesn't answer.
    """

    @abstractmethod
    async def add(self, entry: AuditEntry) -> None:
        """Stores the entry of something that is no change to an instance or a user, such as a new master key."""

    @abstractmethod
    async def list(self, query: AuditQuery) -> AuditPage:
        """Returns the entries that meet the query, newest first; of one moment, the one stored last first.

        Texts are compared literally, whatever special characters they have. `since` is included, `until` is not;
        `limit` and `offset` cut the page, `total` counts without them. The entries of an instance or a user that is
        gone stay.
        """
