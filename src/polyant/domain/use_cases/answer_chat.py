"""Use case: answer a chat request."""

from collections.abc import AsyncGenerator

from polyant.domain.access import authorise
from polyant.domain.chat import ChatRequest, SupervisorEvent, Turn
from polyant.domain.errors import UnknownModelError
from polyant.domain.ports.instance_repo import InstanceRepo
from polyant.domain.ports.secret_cipher import SecretCipher
from polyant.domain.ports.supervisor import Supervisor
from polyant.domain.secrets import SecretText


class AnswerChat:
    """Finds the instance, authorises the caller and hands the turn to the Supervisor."""

    def __init__(self, *, repo: InstanceRepo, cipher: SecretCipher, supervisor: Supervisor) -> None:
        self._repo = repo
        self._cipher = cipher
        self._supervisor = supervisor

    async def __call__(self, request: ChatRequest, bearer: SecretText | None) -> AsyncGenerator[SupervisorEvent, None]:
        """Returns the turn's events; the turn begins when the first is asked for.

        Raises:
            UnknownModelError: No active instance has the slug.
            AuthenticationError: The instance wants a key and the bearer isn't it.
            UnavailableError: The database doesn't answer, or the stored key is unreadable.
        """
        instance = await self._repo.get(request.model)
        if instance is None or not instance.is_active:
            raise UnknownModelError
        authorise(instance, bearer, self._cipher)
        return self._supervisor.run(
            Turn(
                instance=instance,
                messages=request.messages,
                caller_instructions=request.caller_instructions,
                sampling=request.sampling,
                stream=request.stream,
            )
        )
