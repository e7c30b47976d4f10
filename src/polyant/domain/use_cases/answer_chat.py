"""Use case: answer a chat request."""

from collections.abc import AsyncGenerator

import msgspec

from polyant.domain.access import authorise
from polyant.domain.chat import ChatRequest, SupervisorEvent, Turn
from polyant.domain.errors import UnknownModelError
from polyant.domain.instances import Instance
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.instance_repo import InstanceRepo
from polyant.domain.ports.secret_cipher import SecretCipher
from polyant.domain.ports.supervisor import Supervisor
from polyant.domain.secrets import SecretText


class StartedTurn(msgspec.Struct, frozen=True):
    """A turn that begins when the first of its events is asked for."""

    instance: Instance
    events: AsyncGenerator[SupervisorEvent, None]


class AnswerChat:
    """Finds the instance, authorises the caller and hands the turn to the Supervisor."""

    def __init__(self, *, repo: InstanceRepo, cipher: SecretCipher, supervisor: Supervisor, clock: Clock) -> None:
        self._repo = repo
        self._cipher = cipher
        self._supervisor = supervisor
        self._clock = clock

    async def __call__(self, request: ChatRequest, bearer: SecretText | None) -> StartedTurn:
        """Returns the turn.

        Raises:
            UnknownModelError: No active instance has the slug.
            AuthenticationError: The instance wants a key and the bearer isn't it.
            UnavailableError: The database doesn't answer, or the stored key is unreadable.
        """
        instance = await self._repo.get(request.model)
        if instance is None or not instance.is_active:
            raise UnknownModelError
        await authorise(instance, bearer, self._cipher, self._clock.now())
        return start_turn(instance, request, self._supervisor)


def start_turn(instance: Instance, request: ChatRequest, supervisor: Supervisor) -> StartedTurn:
    """Returns the turn of a caller who may talk to the instance."""
    turn = Turn(
        instance=instance,
        messages=request.messages,
        caller_instructions=request.caller_instructions,
        sampling=request.sampling,
        stream=request.stream,
    )
    return StartedTurn(instance, supervisor.run(turn))
