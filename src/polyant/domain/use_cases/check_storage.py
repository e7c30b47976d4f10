"""Use case: check that the storage is reachable."""

from polyant.domain.instances import InstanceQuery
from polyant.domain.ports.instance_repo import InstanceRepo


class CheckStorage:
    """Reads from the storage, bypassing any cache."""

    def __init__(self, *, repo: InstanceRepo) -> None:
        self._repo = repo

    async def __call__(self) -> None:
        """Returns once the storage has responded.

        Raises:
            StorageUnavailableError: The storage is unreachable.
        """
        await self._repo.list(InstanceQuery(limit=1))
