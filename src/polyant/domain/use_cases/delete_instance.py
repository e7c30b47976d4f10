"""Use case: delete an instance."""

from collections.abc import Collection

from polyant.domain.audit import Actor, Change
from polyant.domain.errors import InstanceChangedError, UnknownInstanceError
from polyant.domain.instances import Slug
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.instance_repo import InstanceRepo


class DeleteInstance:
    """Removes an instance with its prompts and secrets; what the audit trail tells of it stays."""

    def __init__(self, *, repo: InstanceRepo, clock: Clock) -> None:
        self._repo = repo
        self._clock = clock

    async def __call__(self, slug: Slug, *, by: Actor, expected_versions: Collection[int] | None = None) -> None:
        """Returns once it is gone.

        Raises:
            UnknownInstanceError: There is none with that slug.
            InstanceChangedError: It has none of the expected versions.
        """
        if expected_versions is not None:
            instance = await self._repo.get(slug)
            if instance is None:
                raise UnknownInstanceError
            if instance.version not in expected_versions:
                raise InstanceChangedError(slug)
        await self._repo.delete(slug, audit=Change(by, "instance.delete").entry(self._clock.now(), instance=slug))
