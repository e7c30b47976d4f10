"""Use case: answer a chat request."""

import msgspec

from polyant.domain.access import authorise
from polyant.domain.chat import ChatRequest
from polyant.domain.errors import UnknownModelError
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.instance_repo import InstanceRepo
from polyant.domain.ports.secret_cipher import SecretCipher
from polyant.domain.secrets import SecretText
from polyant.domain.turn_context import TurnContext
from polyant.domain.use_cases.run_turn import RunTurn, TurnRun


class AnswerChat:
    """Finds the instance, authorises the caller and prepares the turn."""

    def __init__(self, *, repo: InstanceRepo, cipher: SecretCipher, clock: Clock, run_turn: RunTurn) -> None:
        self._repo = repo
        self._cipher = cipher
        self._clock = clock
        self._run_turn = run_turn

    async def __call__(self, request: ChatRequest, bearer: SecretText | None, context: TurnContext) -> TurnRun:
        """Returns the turn, which starts when its context is entered.

        Raises:
            UnknownModelError: No active instance has the slug.
            AuthenticationError: The instance requires a key, and the bearer token is missing or wrong.
            UnavailableError: The database is unavailable, or the stored key is unreadable.
        """
        instance = await self._repo.get(request.model)
        if instance is None or not instance.is_active:
            raise UnknownModelError
        key_id = await authorise(instance, bearer, self._cipher, self._clock.now())
        return self._run_turn(instance, request, context if key_id is None else _with_key(context, key_id))


def _with_key(context: TurnContext, key_id: str) -> TurnContext:
    caller = msgspec.structs.replace(context.caller, key_id=key_id)
    return msgspec.structs.replace(context, caller=caller)
