"""Use case: show one model."""

from polyant.domain.errors import InvalidInputError, NotFoundError
from polyant.domain.instances import Instance, parse_slug
from polyant.domain.ports.instance_repo import InstanceRepo


class ShowModel:
    """Finds one active instance."""

    def __init__(self, *, repo: InstanceRepo) -> None:
        self._repo = repo

    async def __call__(self, text: str) -> Instance:
        """Returns the active instance with that slug.

        Raises:
            NotFoundError: No active instance has that slug.
        """
        try:
            instance = await self._repo.get(parse_slug(text))
        except InvalidInputError:
            instance = None
        if instance is None or not instance.is_active:
            raise NotFoundError("Unknown model")
        return instance
