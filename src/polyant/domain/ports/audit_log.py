"""Port: who changed what, and when?"""

from abc import abstractmethod
from typing import Protocol, runtime_checkable

from polyant.domain.audit import AuditEntry, AuditPage, AuditQuery


@runtime_checkable
class AuditLog(Protocol):
    """Stores the audit trail.

    Entries about an instance, a user or a session are stored by the repo of that resource, not with `add`.

    Each method raises StorageUnavailableError when the store is unavailable.
    """

    @abstractmethod
    async def add(self, entry: AuditEntry) -> None:
        """Stores an entry that isn't about an instance or a user, such as the rotation of the master key.

        Each entry is kept without an end, also if it equals another one. Concurrent calls all succeed.
        """

    @abstractmethod
    async def list(self, query: AuditQuery) -> AuditPage:
        """Returns the entries that match the query, newest first.

        Entries of the same moment are ordered by storage, the latest first. Text is compared literally, including
        special characters. `since` is inclusive, `until` is exclusive. `limit` and `offset` select the page; `total`
        ignores them. Entries remain after their instance or user is deleted.
        """
