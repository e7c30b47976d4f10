"""Use case: add, change or replace a skill of an instance."""

from collections.abc import Collection
from datetime import datetime

import msgspec

from polyant.domain.audit import Actor, Change
from polyant.domain.errors import ConflictError, InvalidInputError
from polyant.domain.instances import Instance, Slug, check_instance
from polyant.domain.ports.skill_files import SkillFiles
from polyant.domain.skill_files import InstanceWithSkillFiles, pack_skills
from polyant.domain.skills import Skill, SkillContent, SkillFile, in_order, parse_skill_name
from polyant.domain.use_cases.edit_instance import EditInstance
from polyant.domain.use_cases.show_skill import find_skill, read_skill


class SkillExistsError(ConflictError):
    """The instance already has a skill with that name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Skill '{name}' already exists")


class SkillChange(msgspec.Struct, frozen=True, kw_only=True):
    """A skill to add or to change; what is None stays as it is."""

    name: str
    description: str | None = None
    instructions: str | None = None
    files: tuple[SkillFile, ...] | None = None
    """All files except the instructions."""
    set_files: tuple[SkillFile, ...] = ()
    """Files to add to the others, or to replace those with their paths."""
    delete_files: tuple[str, ...] = ()
    """The paths of files to delete."""
    replaces: str | None = None
    """The name of the skill to change, if the change renames it."""
    adds: bool = False
    """Whether the skill must be a new one."""


class SetSkill:
    """Adds a skill, changes one or replaces it with all its files."""

    def __init__(self, *, edit: EditInstance, files: SkillFiles) -> None:
        self._edit = edit
        self._files = files

    async def __call__(
        self, slug: Slug, change: SkillChange, *, by: Actor, expected_versions: Collection[int] | None = None
    ) -> Instance:
        """Returns the stored instance.

        Raises:
            UnknownInstanceError: No instance has that slug.
            UnknownSkillError: There is no skill to rename.
            InstanceChangedError: The instance has none of the expected versions.
            SkillExistsError: The skill must be new, and the instance has one with its name.
            InvalidInputError: A value is invalid, or the skill is new and lacks a description or instructions.
        """
        parse_skill_name(change.name)

        async def put(instance: Instance, _: datetime) -> InstanceWithSkillFiles:
            return await self._with(instance, change)

        details = (change.name,) if change.replaces in {None, change.name} else (str(change.replaces), change.name)
        return await self._edit(slug, put, Change(by, "skill.set", details), expected_versions=expected_versions)

    async def _with(self, instance: Instance, change: SkillChange) -> InstanceWithSkillFiles:
        stored = self._stored(instance, change)
        present = None if stored is None else await read_skill(self._files, instance, stored)
        skills, files = pack_skills(instance.id, [_changed(present, change)])
        others = [skill for skill in instance.skills if skill != stored]
        changed = msgspec.structs.replace(instance, skills=in_order([*others, *skills]))
        return InstanceWithSkillFiles(instance=check_instance(changed), skill_files=files)

    def _stored(self, instance: Instance, change: SkillChange) -> Skill | None:
        names = {skill.name for skill in instance.skills}
        renames = change.replaces is not None and change.replaces != change.name
        if change.name in names and (change.adds or renames):
            raise SkillExistsError(change.name)
        if renames and change.replaces is not None:
            return find_skill(instance, change.replaces)
        return find_skill(instance, change.name) if change.name in names else None


def _changed(present: SkillContent | None, change: SkillChange) -> SkillContent:
    if present is None:
        for field in ("description", "instructions"):
            if getattr(change, field) is None:
                raise InvalidInputError(f"The skill {change.name} is new and needs {_ARTICLES[field]}")
        present = SkillContent(name=change.name, description="", instructions="")
    files = {file.path: file for file in (present.files if change.files is None else change.files)}
    if change.files is not None and len(files) < len(change.files):
        raise InvalidInputError(f"The files of the skill {change.name} must have different paths")
    files |= {file.path: file for file in change.set_files}
    return SkillContent(
        name=change.name,
        description=present.description if change.description is None else change.description,
        instructions=present.instructions if change.instructions is None else change.instructions,
        files=tuple(file for path, file in files.items() if path not in change.delete_files),
    )


_ARTICLES = {"description": "a description", "instructions": "instructions"}
