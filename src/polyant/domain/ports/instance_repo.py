"""Port: which assistants are there, and how is each configured?"""

from abc import abstractmethod
from typing import Protocol, runtime_checkable

from polyant.domain.audit import AuditEntry
from polyant.domain.instances import Instance, InstanceChanges, InstancePage, InstanceQuery, Slug


@runtime_checkable
class InstanceRepo(Protocol):
    """Keeps instances, each whole: fields, sections, tools and sealed secrets change together or not at all.

    An `audit` entry is stored together with the change that it tells of, where the AuditLog of the same store finds
    it; when the change is refused, neither is.

    Each method raises StorageUnavailableError when the store doesn't answer; a write that returned survives a crash.
    """

    @abstractmethod
    async def get(self, slug: Slug) -> Instance | None:
        """Returns the instance with that slug as it was last stored, None if there is none."""

    @abstractmethod
    async def list(self, query: InstanceQuery) -> InstancePage:
        """Returns the instances that meet the query, ordered by creation time, then slug.

        `limit` and `offset` cut the page; `total` counts what meets the conditions without them. A search finds its
        text literally, whatever special characters it has. A look-up by key fingerprint costs the same however many
        instances there are.
        """

    @abstractmethod
    async def add(self, instance: Instance, *, audit: AuditEntry | None = None) -> Instance:
        """Stores a new instance and returns it with version 1.

        Raises:
            InstanceExistsError: Its slug is taken; nothing is stored. Of several at once exactly one succeeds.
        """

    @abstractmethod
    async def save(self, instance: Instance, *, audit: AuditEntry | None = None) -> Instance:
        """Stores a changed instance over its earlier state and returns it with its version counted up.

        Id, slug and creation time stay as they were stored.

        Raises:
            UnknownInstanceError: It isn't there any more.
            InstanceChangedError: What is stored no longer has the version that `instance` was read with; nothing is
                stored. Of several at once exactly one succeeds.
        """

    @abstractmethod
    async def delete(self, slug: Slug, *, version: int | None = None, audit: AuditEntry | None = None) -> None:
        """Removes the instance and everything of it but its audit trail.

        Raises:
            UnknownInstanceError: There is none.
            InstanceChangedError: What is stored doesn't have the version that is given; nothing is removed.
        """

    @abstractmethod
    async def changes_since(self, revision: int) -> InstanceChanges:
        """Returns the slugs added, saved or deleted after that revision, and the revision now reached.

        Revision 0 is before the first write; each write has a higher one than every write that ended before it began,
        so that who asks again with the revision returned misses nothing. A slug may be named that did not change.
        """
