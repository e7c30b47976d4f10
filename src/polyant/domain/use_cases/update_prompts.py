"""Use case: change sections of an instance's system prompt."""

from collections.abc import Collection, Mapping
from datetime import datetime

import msgspec

from polyant.domain.audit import Actor, Change
from polyant.domain.instances import Instance, Slug
from polyant.domain.prompts import SectionKey, check_section
from polyant.domain.use_cases.edit_instance import EditInstance


class UpdatePrompts:
    """Replaces the contents of the given sections."""

    def __init__(self, *, edit: EditInstance) -> None:
        self._edit = edit

    async def __call__(
        self,
        slug: Slug,
        sections: Mapping[SectionKey, str],
        *,
        by: Actor,
        expected_versions: Collection[int] | None = None,
    ) -> Instance:
        """Returns the stored instance.

        Raises:
            UnknownInstanceError: No instance has that slug.
            InstanceChangedError: The instance has none of the expected versions.
            InvalidInputError: A section is too long or contains characters that can't be stored.
        """
        checked = {key: check_section(key, content) for key, content in sections.items()}

        def put(instance: Instance, _: datetime) -> Instance:
            return msgspec.structs.replace(instance, sections={**instance.sections, **checked})

        change = Change(by, "prompts.update", tuple(checked))
        return await self._edit(slug, put, change, expected_versions=expected_versions)
