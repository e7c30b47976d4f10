"""Port: the files of the skills of instances."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from polyant.domain.instances import InstanceId
from polyant.domain.skills import SkillFile, SkillFileSummary


@runtime_checkable
class SkillFiles(Protocol):
    """Reads the files that the InstanceRepo of the same store keeps when it adds or saves an instance.

    Files are found by the digest of their skill, and never change. They are kept while the instance has a skill with
    that digest, or a state in its history has one. Deleting the instance deletes them.

    Each method raises StorageUnavailableError when the store is unavailable.
    """

    @abstractmethod
    async def list(self, instance: InstanceId, digest: str) -> Sequence[SkillFileSummary]:
        """Returns the files of a skill without their content, ordered by path; none if they aren't stored."""

    @abstractmethod
    async def get(self, instance: InstanceId, digest: str, path: str) -> SkillFile | None:
        """Returns one file of a skill, or None if it isn't stored."""

    @abstractmethod
    async def read_all(self, instance: InstanceId, digest: str) -> Sequence[SkillFile]:
        """Returns all files of a skill, ordered by path; none if they aren't stored."""
