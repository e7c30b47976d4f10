"""Use case: remove a skill from an instance."""

from collections.abc import Collection
from datetime import datetime

import msgspec

from polyant.domain.audit import Actor, Change
from polyant.domain.instances import Instance, Slug
from polyant.domain.use_cases.edit_instance import EditInstance
from polyant.domain.use_cases.show_skill import find_skill


class DeleteSkill:
    """Removes a skill; its files stay while a state in the history of the instance has it."""

    def __init__(self, *, edit: EditInstance) -> None:
        self._edit = edit

    async def __call__(
        self, slug: Slug, name: str, *, by: Actor, expected_versions: Collection[int] | None = None
    ) -> Instance:
        """Returns the instance without the skill.

        Raises:
            UnknownInstanceError: No instance has that slug.
            UnknownSkillError: The instance has no such skill.
            InstanceChangedError: The instance has none of the expected versions.
        """

        def remove(instance: Instance, _: datetime) -> Instance:
            removed = find_skill(instance, name)
            return msgspec.structs.replace(
                instance, skills=tuple(skill for skill in instance.skills if skill != removed)
            )

        return await self._edit(slug, remove, Change(by, "skill.delete", (name,)), expected_versions=expected_versions)
