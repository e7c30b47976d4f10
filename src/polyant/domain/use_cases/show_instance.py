"""Use case: show one instance."""

from polyant.domain.errors import UnknownInstanceError
from polyant.domain.instances import Instance, Slug
from polyant.domain.ports.instance_repo import InstanceRepo


class ShowInstance:
    """Finds an active or disabled instance."""

    def __init__(self, *, repo: InstanceRepo) -> None:
        self._repo = repo

    async def __call__(self, slug: Slug) -> Instance:
        """Returns the instance as last stored.

        Raises:
            UnknownInstanceError: No instance has that slug.
        """
        instance = await self._repo.get(slug)
        if instance is None:
            raise UnknownInstanceError(slug)
        return instance
