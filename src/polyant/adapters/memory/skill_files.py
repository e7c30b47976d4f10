"""The files of skills in memory."""

from collections.abc import Sequence

from polyant.adapters.memory.store import MemoryStore
from polyant.domain.instances import InstanceId
from polyant.domain.ports.skill_files import SkillFiles
from polyant.domain.skills import SkillFile, SkillFileSummary


class MemorySkillFiles(SkillFiles):
    """Reads the files of skills in memory.

    Args:
        memory: The store of the InstanceRepo that keeps the files; None for a separate store.
    """

    def __init__(self, *, memory: MemoryStore | None = None) -> None:
        self._memory = memory or MemoryStore()

    async def list(self, instance: InstanceId, digest: str) -> Sequence[SkillFileSummary]:
        files = await self.read_all(instance, digest)
        return [SkillFileSummary(path=file.path, size=file.size, is_script=file.is_script) for file in files]

    async def get(self, instance: InstanceId, digest: str, path: str) -> SkillFile | None:
        file = self._memory.skill_files.get(instance, {}).get((digest, path))
        return None if file is None else SkillFile(path=file.path, content=file.content)

    async def read_all(self, instance: InstanceId, digest: str) -> Sequence[SkillFile]:
        files = self._memory.skill_files.get(instance, {}).values()
        found = [SkillFile(path=file.path, content=file.content) for file in files if file.digest == digest]
        return sorted(found, key=lambda file: file.path)
