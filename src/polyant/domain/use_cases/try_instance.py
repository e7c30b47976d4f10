"""Use case: chat with an instance in the playground."""

from polyant.domain.chat import ChatRequest
from polyant.domain.errors import UnknownInstanceError
from polyant.domain.media.image_input import check_image_input
from polyant.domain.ports.instance_repo import InstanceRepo
from polyant.domain.turn_context import TurnContext
from polyant.domain.use_cases.run_turn import RunTurn, TurnRun


class TryInstance:
    """Prepares a turn for a logged-in user, who needs no API key and can also try a disabled instance."""

    def __init__(self, *, repo: InstanceRepo, run_turn: RunTurn) -> None:
        self._repo = repo
        self._run_turn = run_turn

    async def __call__(self, request: ChatRequest, context: TurnContext) -> TurnRun:
        """Returns the turn, which starts when its context is entered.

        Raises:
            UnknownInstanceError: No instance has that slug.
            InvalidInputError: The request contains an image, and the instance doesn't allow images.
            StorageUnavailableError: The database is unavailable.
        """
        instance = await self._repo.get(request.model)
        if instance is None:
            raise UnknownInstanceError(request.model)
        check_image_input(instance, request)
        return self._run_turn(instance, request, context)
