"""Use case: change a stored instance safely under concurrent changes."""

from collections.abc import Awaitable, Callable, Collection
from datetime import datetime
from inspect import isawaitable

import msgspec

from polyant.domain.audit import Change
from polyant.domain.errors import InstanceChangedError
from polyant.domain.instance_states import replaced_state
from polyant.domain.instances import Instance, Slug, check_instance
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.instance_repo import InstanceRepo
from polyant.domain.skill_files import InstanceWithSkillFiles
from polyant.domain.use_cases.show_instance import ShowInstance
from polyant.domain.versioned_edit import edit_stored

Edited = Instance | InstanceWithSkillFiles

InstanceEdit = Callable[[Instance, datetime], Edited | Awaitable[Edited]]
"""Returns the edited instance for the stored one and the current time; edits that encrypt or read are asynchronous."""


class EditInstance:
    """Reads an instance, applies an edit and stores the result; an edit that lost a race is reapplied."""

    def __init__(self, *, repo: InstanceRepo, clock: Clock) -> None:
        self._repo = repo
        self._show = ShowInstance(repo=repo)
        self._clock = clock

    async def __call__(
        self,
        slug: Slug,
        edit: InstanceEdit,
        change: Change,
        *,
        expected_versions: Collection[int] | None = None,
    ) -> Instance:
        """Returns the instance as stored after the edit; the audit entry for `change` is stored with it.

        If the edit changes prompts or settings, the replaced state is added to the history of the instance.

        An approval of an address that the edit removes is removed too.

        Raises:
            UnknownInstanceError: No instance has that slug.
            InstanceChangedError: The instance has none of the expected versions, or every attempt lost a race.
            InvalidInputError: The edited instance is invalid; nothing is stored.
        """

        async def save_edited(instance: Instance) -> Instance:
            now = self._clock.now()
            result = edit(instance, now)
            found = await result if isawaitable(result) else result
            edited, files = (found, ()) if isinstance(found, Instance) else (found.instance, found.skill_files)
            approved = edited.approved_addresses & edited.addresses
            stamped = msgspec.structs.replace(edited, approved_addresses=approved, updated_at=now)
            replaced = replaced_state(instance, check_instance(stamped), at=now, by=change.actor)
            audit = change.entry(now, instance=slug)
            return await self._repo.save(stamped, audit=audit, replaced=replaced, skill_files=files)

        return await edit_stored(
            lambda: self._show(slug),
            save_edited,
            expected_versions=expected_versions,
            conflict=lambda instance: InstanceChangedError(instance.slug),
        )
