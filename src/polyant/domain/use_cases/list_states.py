"""Use case: list the earlier states of an instance."""

from collections.abc import Sequence

from polyant.domain.instance_states import StateSummary
from polyant.domain.instances import Instance, Slug
from polyant.domain.ports.instance_history import InstanceHistory
from polyant.domain.ports.instance_repo import InstanceRepo
from polyant.domain.use_cases.show_instance import ShowInstance


class ListStates:
    """Lists earlier states without their content."""

    def __init__(self, *, repo: InstanceRepo, history: InstanceHistory) -> None:
        self._show = ShowInstance(repo=repo)
        self._history = history

    async def __call__(self, slug: Slug) -> Sequence[StateSummary]:
        """Returns the states of the instance, the latest first.

        Raises:
            UnknownInstanceError: No instance has that slug.
        """
        return await self.of(await self._show(slug))

    async def of(self, instance: Instance) -> Sequence[StateSummary]:
        """Returns the states of an instance that was read before, the latest first."""
        return await self._history.list(instance.id)
