"""Use case: list the metrics of an instance's turns."""

from polyant.domain.instances import Instance, Slug
from polyant.domain.ports.instance_repo import InstanceRepo
from polyant.domain.ports.turn_log import TurnLog
from polyant.domain.turn_records import TurnPage
from polyant.domain.use_cases.show_instance import ShowInstance


class ListTurns:
    """Lists recent turns."""

    def __init__(self, *, repo: InstanceRepo, turn_log: TurnLog) -> None:
        self._show = ShowInstance(repo=repo)
        self._turn_log = turn_log

    async def __call__(self, slug: Slug, *, limit: int, offset: int = 0) -> TurnPage:
        """Returns the instance's turns, newest first.

        Raises:
            UnknownInstanceError: No instance has that slug.
        """
        return await self.of(await self._show(slug), limit=limit, offset=offset)

    async def of(self, instance: Instance, *, limit: int, offset: int = 0) -> TurnPage:
        """Returns the turns of an instance that was read before, newest first."""
        return await self._turn_log.list(instance.slug, limit=limit, offset=offset, since=instance.created_at)
