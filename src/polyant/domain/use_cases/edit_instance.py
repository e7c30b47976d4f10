"""Use case: change a stored instance, whatever others do to it meanwhile."""

from collections.abc import Callable, Collection
from datetime import datetime

import msgspec

from polyant.domain.audit import Change
from polyant.domain.errors import InstanceChangedError, UnknownInstanceError
from polyant.domain.instances import Instance, Slug, check_instance
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.instance_repo import InstanceRepo

_MOST_ATTEMPTS = 20


class EditInstance:
    """Reads an instance, applies an edit and stores it; an edit that lost a race is applied again."""

    def __init__(self, *, repo: InstanceRepo, clock: Clock) -> None:
        self._repo = repo
        self._clock = clock

    async def __call__(
        self,
        slug: Slug,
        edit: Callable[[Instance, datetime], Instance],
        change: Change,
        *,
        expected_versions: Collection[int] | None = None,
    ) -> Instance:
        """Returns the instance as stored after `edit(instance, now)`, with what the audit trail tells of it.

        Raises:
            UnknownInstanceError: There is none with that slug.
            InstanceChangedError: It has none of the expected versions, or others change it all the time.
            InvalidInputError: The edited instance breaks a rule; nothing is stored.
        """
        for _ in range(_MOST_ATTEMPTS):
            instance = await self._repo.get(slug)
            if instance is None:
                raise UnknownInstanceError
            if expected_versions is not None and instance.version not in expected_versions:
                raise InstanceChangedError(slug)
            now = self._clock.now()
            edited = msgspec.structs.replace(edit(instance, now), updated_at=now)
            try:
                return await self._repo.save(check_instance(edited), audit=change.entry(now, instance=slug))
            except InstanceChangedError:
                continue
        raise InstanceChangedError(slug)
