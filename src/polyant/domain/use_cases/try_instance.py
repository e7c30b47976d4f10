"""Use case: let somebody who manages an instance talk to it."""

from polyant.domain.chat import ChatRequest
from polyant.domain.errors import UnknownInstanceError
from polyant.domain.ports.instance_repo import InstanceRepo
from polyant.domain.ports.supervisor import Supervisor
from polyant.domain.use_cases.answer_chat import StartedTurn, start_turn


class TryInstance:
    """Runs a turn as `AnswerChat` does; a session stands for the key, and a disabled instance can be tried as well."""

    def __init__(self, *, repo: InstanceRepo, supervisor: Supervisor) -> None:
        self._repo = repo
        self._supervisor = supervisor

    async def __call__(self, request: ChatRequest) -> StartedTurn:
        """Returns the turn.

        Raises:
            UnknownInstanceError: There is no instance with that slug.
            StorageUnavailableError: The database doesn't answer.
        """
        instance = await self._repo.get(request.model)
        if instance is None:
            raise UnknownInstanceError
        return start_turn(instance, request, self._supervisor)
