"""Use case: list the instances."""

from polyant.domain.instances import InstancePage, InstanceQuery
from polyant.domain.ports.instance_repo import InstanceRepo


class ListInstances:
    """Finds instances of any status."""

    def __init__(self, *, repo: InstanceRepo) -> None:
        self._repo = repo

    async def __call__(self, query: InstanceQuery) -> InstancePage:
        """Returns a page of the matching instances, oldest first."""
        return await self._repo.list(query)
