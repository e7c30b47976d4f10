"""Use case: list the models that callers can use."""

from polyant.domain.instances import InstanceQuery, InstanceStatus, InstanceSummary
from polyant.domain.ports.instance_repo import InstanceRepo

_ACTIVE = InstanceQuery(status=InstanceStatus.ACTIVE)


class ListModels:
    """Lists the active instances."""

    def __init__(self, *, repo: InstanceRepo) -> None:
        self._repo = repo

    async def __call__(self) -> tuple[InstanceSummary, ...]:
        """Returns every active instance, ordered by creation time, then slug."""
        return (await self._repo.list(_ACTIVE)).instances
