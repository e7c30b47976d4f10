"""Use case: check that the storage can be reached."""

from polyant.domain.instances import InstanceQuery
from polyant.domain.ports.instance_repo import InstanceRepo


class CheckStorage:
    """Reads from the storage, past any cache."""

    def __init__(self, *, repo: InstanceRepo) -> None:
        self._repo = repo

    async def __call__(self) -> None:
        """Returns once the storage has responded.

        Raises:
            StorageUnavailableError: It can't be reached.
        """
        await self._repo.list(InstanceQuery(limit=1))
