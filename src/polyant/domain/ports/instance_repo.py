"""Port: storage of instances."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from polyant.domain.audit import AuditEntry
from polyant.domain.instance_states import InstanceState
from polyant.domain.instances import Instance, InstanceChanges, InstancePage, InstanceQuery, Slug
from polyant.domain.skill_files import StoredSkillFile


@runtime_checkable
class InstanceRepo(Protocol):
    """Stores instances atomically: fields, sections, tools and encrypted secrets change together or not at all.

    An `audit` entry is stored in the same transaction as the change it describes, and the AuditLog of the same store
    lists it. When the change is refused, neither is stored. The same holds for the state that a save `replaced`, which
    the InstanceHistory of the same store lists, and for `skill_files`, which the SkillFiles of the same store reads.

    Each method raises StorageUnavailableError when the store is unavailable. A completed write survives a crash.

    The store may be read-only, such as a file that others write. Then `add`, `save` and `delete` raise ReadOnlyError.
    """

    @abstractmethod
    async def get(self, slug: Slug) -> Instance | None:
        """Returns the instance with that slug as last stored, or None if it doesn't exist."""

    @abstractmethod
    async def list(self, query: InstanceQuery) -> InstancePage:
        """Returns the instances that match the query, ordered by creation time, then slug.

        `limit` and `offset` select the page; `total` ignores them. The search text is matched literally, including
        special characters. The cost of a lookup by key fingerprint doesn't depend on the number of instances.
        """

    @abstractmethod
    async def add(
        self, instance: Instance, *, audit: AuditEntry | None = None, skill_files: Sequence[StoredSkillFile] = ()
    ) -> Instance:
        """Stores a new instance and returns it with version 1.

        Raises:
            InstanceChangedError: The files of one of the instance's skills aren't given; nothing is stored.
            InstanceExistsError: The slug is taken; nothing is stored. Of several concurrent calls, exactly one
                succeeds.
        """

    @abstractmethod
    async def save(
        self,
        instance: Instance,
        *,
        audit: AuditEntry | None = None,
        replaced: InstanceState | None = None,
        skill_files: Sequence[StoredSkillFile] = (),
    ) -> Instance:
        """Stores a changed instance and returns it with its version incremented.

        The stored id, slug and creation time never change. A `replaced` state is added to the history of the instance,
        whose oldest states are dropped until `kept_states` contains all of them. Given skill files are stored unless
        they are stored already. Those that belong neither to a skill of the instance nor to a state are dropped.

        Raises:
            UnknownInstanceError: The instance no longer exists.
            InstanceChangedError: The stored version differs from `instance.version`, or the files of one of the
                instance's skills are neither given nor stored; nothing is stored. Of several concurrent calls, exactly
                one succeeds.
        """

    @abstractmethod
    async def delete(self, slug: Slug, *, version: int | None = None, audit: AuditEntry | None = None) -> None:
        """Deletes the instance and all its data, its history included, except its audit trail.

        Raises:
            UnknownInstanceError: The instance doesn't exist.
            InstanceChangedError: The stored version differs from `version`; nothing is deleted.
        """

    @abstractmethod
    async def changes_since(self, revision: int) -> InstanceChanges:
        """Returns the slugs added, saved or deleted after that revision, and the current revision.

        Revision 0 precedes the first write. Each write has a higher revision than every write that ended before it
        began, so polling with the returned revision misses no change. The result may include unchanged slugs.
        """
