"""Use case: show an earlier state of an instance."""

from polyant.domain.instance_states import InstanceState, UnknownStateError
from polyant.domain.instances import Slug
from polyant.domain.ports.instance_history import InstanceHistory
from polyant.domain.ports.instance_repo import InstanceRepo
from polyant.domain.use_cases.show_instance import ShowInstance


class ShowState:
    """Finds one earlier state."""

    def __init__(self, *, repo: InstanceRepo, history: InstanceHistory) -> None:
        self._show = ShowInstance(repo=repo)
        self._history = history

    async def __call__(self, slug: Slug, number: int) -> InstanceState:
        """Returns the state of the instance with that number.

        Raises:
            UnknownInstanceError: No instance has that slug.
            UnknownStateError: The history of the instance has no state with that number.
        """
        state = await self._history.get((await self._show(slug)).id, number)
        if state is None:
            raise UnknownStateError(number)
        return state
