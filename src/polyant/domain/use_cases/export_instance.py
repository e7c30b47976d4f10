"""Use case: read an instance with all files of its skills, for an export."""

import msgspec

from polyant.domain.instances import Instance, Slug
from polyant.domain.ports.instance_repo import InstanceRepo
from polyant.domain.ports.skill_files import SkillFiles
from polyant.domain.skills import SkillContent
from polyant.domain.use_cases.show_instance import ShowInstance
from polyant.domain.use_cases.show_skill import read_skill
from polyant.domain.versioned_edit import save_latest


class ExportedInstance(msgspec.Struct, frozen=True, kw_only=True):
    """An instance, and its skills with their files."""

    instance: Instance
    skills: tuple[SkillContent, ...]


class ExportInstance:
    """Reads an instance and its skills as of the same version."""

    def __init__(self, *, repo: InstanceRepo, files: SkillFiles) -> None:
        self._show = ShowInstance(repo=repo)
        self._files = files

    async def __call__(self, slug: Slug) -> ExportedInstance:
        """Returns the instance as last stored, and its skills.

        Raises:
            UnknownInstanceError: No instance has that slug.
            InstanceChangedError: Each attempt to read the skills was overtaken by another change of them.
        """
        return await save_latest(lambda: self._show(slug), self._with_skills)

    async def _with_skills(self, instance: Instance) -> ExportedInstance:
        skills = [await read_skill(self._files, instance, skill) for skill in instance.skills]
        return ExportedInstance(instance=instance, skills=tuple(skills))
