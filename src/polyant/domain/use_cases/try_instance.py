"""Use case: let somebody who manages an instance talk to it."""

from polyant.domain.chat import ChatRequest
from polyant.domain.errors import UnknownInstanceError
from polyant.domain.ports.instance_repo import InstanceRepo
from polyant.domain.turn_context import TurnContext
from polyant.domain.use_cases.run_turn import RunTurn, TurnRun


class TryInstance:
    """Prepares a turn as `AnswerChat` does; a session stands for the key, and a disabled instance can be tried too."""

    def __init__(self, *, repo: InstanceRepo, run_turn: RunTurn) -> None:
        self._repo = repo
        self._run_turn = run_turn

    async def __call__(self, request: ChatRequest, context: TurnContext) -> TurnRun:
        """Returns the turn, which starts when it is entered.

        Raises:
            UnknownInstanceError: There is no instance with that slug.
            StorageUnavailableError: The database doesn't answer.
        """
        instance = await self._repo.get(request.model)
        if instance is None:
            raise UnknownInstanceError
        return self._run_turn(instance, request, context)
