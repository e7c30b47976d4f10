"""Use case: show one skill of an instance with its files."""

import msgspec

from polyant.domain.errors import InstanceChangedError, NotFoundError
from polyant.domain.instances import Instance, Slug
from polyant.domain.ports.instance_repo import InstanceRepo
from polyant.domain.ports.skill_files import SkillFiles
from polyant.domain.skills import Skill, SkillContent, unpacked
from polyant.domain.use_cases.show_instance import ShowInstance


class UnknownSkillError(NotFoundError):
    """The instance has no skill with that name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no skill '{name}'")


class UnknownSkillFileError(NotFoundError):
    """The skill has no file with that path."""


class ShownSkill(msgspec.Struct, frozen=True, kw_only=True):
    """A skill with its files, and its instance."""

    instance: Instance
    skill: Skill
    content: SkillContent


class ShowSkill:
    """Finds a skill and reads its files."""

    def __init__(self, *, repo: InstanceRepo, files: SkillFiles) -> None:
        self._show = ShowInstance(repo=repo)
        self._files = files

    async def __call__(self, slug: Slug, name: str) -> ShownSkill:
        """Returns the skill as last stored.

        Raises:
            UnknownInstanceError: No instance has that slug.
            UnknownSkillError: The instance has no such skill.
            InstanceChangedError: The skill was changed while it was read.
        """
        instance = await self._show(slug)
        skill = find_skill(instance, name)
        return ShownSkill(instance=instance, skill=skill, content=await read_skill(self._files, instance, skill))


def find_skill(instance: Instance, name: str) -> Skill:
    """Returns the skill with that name.

    Raises:
        UnknownSkillError: The instance has none.
    """
    found = next((skill for skill in instance.skills if skill.name == name), None)
    if found is None:
        raise UnknownSkillError(name)
    return found


async def read_skill(files: SkillFiles, instance: Instance, skill: Skill) -> SkillContent:
    """Returns the skill with its files.

    Raises:
        InstanceChangedError: Its files are no longer stored, because it was changed or deleted.
    """
    stored = await files.read_all(instance.id, skill.digest)
    if not stored:
        raise InstanceChangedError(instance.slug)
    return unpacked(skill, stored)
