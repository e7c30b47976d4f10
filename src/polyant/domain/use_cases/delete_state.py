"""Use case: delete an earlier state of an instance."""

from polyant.domain.audit import Actor, Change
from polyant.domain.instances import Slug
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.instance_history import InstanceHistory
from polyant.domain.ports.instance_repo import InstanceRepo
from polyant.domain.use_cases.show_instance import ShowInstance


class DeleteState:
    """Removes one state from the history, such as one with a secret in a prompt; the instance stays as it is."""

    def __init__(self, *, repo: InstanceRepo, history: InstanceHistory, clock: Clock) -> None:
        self._show = ShowInstance(repo=repo)
        self._history = history
        self._clock = clock

    async def __call__(self, slug: Slug, number: int, *, by: Actor) -> None:
        """Deletes the state for good.

        Raises:
            UnknownInstanceError: No instance has that slug.
            UnknownStateError: The history of the instance has no state with that number.
        """
        instance = await self._show(slug)
        audit = Change(by, "history.delete", (str(number),)).entry(self._clock.now(), instance=slug)
        await self._history.delete(instance.id, number, audit=audit)
