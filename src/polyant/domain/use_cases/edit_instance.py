"""Use case: change a stored instance while others may change it as well."""

from collections.abc import Awaitable, Callable, Collection
from datetime import datetime
from inspect import isawaitable

import msgspec

from polyant.domain.audit import Change
from polyant.domain.errors import InstanceChangedError
from polyant.domain.instances import Instance, Slug, check_instance
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.instance_repo import InstanceRepo
from polyant.domain.use_cases.show_instance import ShowInstance
from polyant.domain.versioned_edit import edit_stored

InstanceEdit = Callable[[Instance, datetime], Instance | Awaitable[Instance]]
"""Returns the instance as it should be stored, given the stored one and the time; one that encrypts is asynchronous."""


class EditInstance:
    """Reads an instance, applies an edit and stores it; an edit that lost a race is applied again."""

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
        """Returns the instance as stored after the edit; the audit trail gets `change` together with it.

        Raises:
            UnknownInstanceError: There is none with that slug.
            InstanceChangedError: It has none of the expected versions, or others change it all the time.
            InvalidInputError: The edited instance breaks a rule; nothing is stored.
        """

        async def save_edited(instance: Instance) -> Instance:
            now = self._clock.now()
            result = edit(instance, now)
            edited = await result if isawaitable(result) else result
            stamped = check_instance(msgspec.structs.replace(edited, updated_at=now))
            return await self._repo.save(stamped, audit=change.entry(now, instance=slug))

        return await edit_stored(
            lambda: self._show(slug),
            save_edited,
            expected_versions=expected_versions,
            conflict=lambda instance: InstanceChangedError(instance.slug),
        )
