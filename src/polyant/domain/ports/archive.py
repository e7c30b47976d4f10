"""Port: all data of a store, read as one snapshot and written as one transaction."""

from abc import abstractmethod
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Protocol, runtime_checkable

from polyant.domain.audit import AuditEntry
from polyant.domain.backups import StoredItem


@runtime_checkable
class Archive(Protocol):
    """Copies instances, skill files, channel connections, conversations, users and the audit trail to an empty store.

    The data are those of the InstanceRepo, the SkillFiles, the ChannelConnections, the ConversationRepo, the UserRepo
    and the AuditLog of the same store, with the data key of INDEX_DAY. The history of instances, events, deliveries,
    sessions, turn metrics, rate limits and the KeyCheck's value aren't copied.

    The initial data of a store are at most one instance and one user, both created by the server and never changed,
    and one audit entry for each. A store with nothing else but data keys of days counts as empty.

    Each method raises StorageUnavailableError when the store is unavailable.
    """

    @abstractmethod
    def snapshot(self) -> AbstractAsyncContextManager[AsyncIterator[StoredItem]]:
        """Opens a snapshot and yields its items, one kind after the other.

        The kinds are instances, skill files, channel connections, the data key of hashes, conversations, messages,
        users and audit entries.

        Audit entries are in the order of their storage. Files that only the history of an instance needs are left out.

        Items are read while they are iterated, in bounded memory, and changes made after the opening are not visible.
        Writers aren't blocked. The iteration must take place in the task that opened the snapshot.
        """

    @abstractmethod
    async def check_empty(self) -> None:
        """Returns if the store contains nothing but its initial data.

        Raises:
            StoreNotEmptyError: It contains more.
        """

    @abstractmethod
    async def restore(self, items: AsyncIterable[StoredItem], *, audit: AuditEntry) -> None:
        """Atomically replaces the initial data with the items, then adds the audit entry.

        Every field of an item is stored as it is, versions and times included. The audit entries keep their order. All
        sessions end. The InstanceRepo's changes include the slugs of removed and restored instances, and its revision
        is never 0 afterwards.

        Raises:
            StoreNotEmptyError: The store contains more than its initial data; nothing changes.
            Exception: The iteration of the items raised it; nothing changes.
        """
