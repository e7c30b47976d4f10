"""The stored files of skills: each belongs to an instance and to a digest, and never changes."""

from collections.abc import Iterable

import msgspec

from polyant.domain.instances import Instance, InstanceId
from polyant.domain.skills import Skill, SkillContent, SkillFile, packed


class StoredSkillFile(SkillFile, frozen=True, kw_only=True):
    """A file of a skill of one instance."""

    instance: InstanceId
    digest: str
    """That of the skill."""


class InstanceWithSkillFiles(msgspec.Struct, frozen=True, kw_only=True):
    """An edited instance, and the files of its new and changed skills."""

    instance: Instance
    skill_files: tuple[StoredSkillFile, ...] = ()


def pack_skills(
    instance: InstanceId, contents: Iterable[SkillContent]
) -> tuple[tuple[Skill, ...], tuple[StoredSkillFile, ...]]:
    """Returns the skills for an instance, and the files to store with them.

    Raises:
        InvalidInputError: A skill is invalid.
    """
    skills: list[Skill] = []
    stored: dict[tuple[str, str], StoredSkillFile] = {}
    for content in contents:
        skill, files = packed(content)
        skills.append(skill)
        for file in files:
            key = (skill.digest, file.path)  # skills with the same files share them
            stored[key] = StoredSkillFile(instance=instance, digest=skill.digest, path=file.path, content=file.content)
    return tuple(skills), tuple(stored.values())
