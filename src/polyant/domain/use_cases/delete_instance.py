"""Use case: delete an instance."""

from collections.abc import Collection

from polyant.domain.audit import Actor, Change
from polyant.domain.conversation_removal import ConversationRemoval
from polyant.domain.conversations import ConversationSelection
from polyant.domain.errors import InstanceChangedError
from polyant.domain.instances import Slug
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.instance_repo import InstanceRepo
from polyant.domain.use_cases.show_instance import ShowInstance
from polyant.domain.versioned_edit import check_version


class DeleteInstance:
    """Deletes an instance with its prompts, secrets and conversations; its audit trail remains."""

    def __init__(self, *, repo: InstanceRepo, removal: ConversationRemoval, clock: Clock) -> None:
        self._repo = repo
        self._removal = removal
        self._show = ShowInstance(repo=repo)
        self._clock = clock

    async def __call__(self, slug: Slug, *, by: Actor, expected_versions: Collection[int] | None = None) -> None:
        """Deletes the instance, then its conversations; those that an interruption leaves expire by their age.

        Raises:
            UnknownInstanceError: No instance has that slug.
            InstanceChangedError: The instance has none of the expected versions.
        """
        version, stored = None, await self._show(slug)
        if expected_versions is not None:
            check_version(stored, expected_versions, lambda instance: InstanceChangedError(instance.slug))
            version = stored.version
        audit = Change(by, "instance.delete").entry(self._clock.now(), instance=slug)
        await self._repo.delete(slug, version=version, audit=audit)
        await self._removal.delete(ConversationSelection(instance=stored.id))
