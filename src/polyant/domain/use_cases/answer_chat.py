"""Use case: answer a chat request."""

import msgspec

from polyant.domain.access import authorise
from polyant.domain.chat import ChatRequest
from polyant.domain.conversation_turn import ConversationTurns
from polyant.domain.errors import UnknownModelError
from polyant.domain.failed_credentials import FailedCredentialLimit
from polyant.domain.instances import Instance
from polyant.domain.media.image_input import check_image_input
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.instance_repo import InstanceRepo
from polyant.domain.ports.rate_policy import RateCaller
from polyant.domain.ports.secret_cipher import SecretCipher
from polyant.domain.rate_limits import CallerLimits
from polyant.domain.secrets import SecretText
from polyant.domain.turn_context import TurnContext
from polyant.domain.use_cases.run_turn import RunTurn, TurnRun


class AnswerChat:
    """Finds the instance, authorises the caller and prepares the turn."""

    def __init__(
        self,
        *,
        repo: InstanceRepo,
        cipher: SecretCipher,
        clock: Clock,
        run_turn: RunTurn,
        failed_credentials: FailedCredentialLimit,
        conversations: ConversationTurns,
        limits: CallerLimits,
    ) -> None:
        self._repo = repo
        self._cipher = cipher
        self._clock = clock
        self._run_turn = run_turn
        self._failed_credentials = failed_credentials
        self._conversations = conversations
        self._limits = limits

    async def __call__(self, request: ChatRequest, bearer: SecretText | None, context: TurnContext) -> TurnRun:
        """Returns the turn, which starts when its context is entered.

        Raises:
            UnknownModelError: No active instance has the slug.
            AuthenticationError: The instance requires a key, and the bearer token is missing or wrong.
            InvalidInputError: The request contains an image, and the instance doesn't allow images.
            RateLimitedError: The caller's network sent too many wrong keys, or a limit of the RatePolicy is exceeded.
            UnavailableError: The database is unavailable, or the stored key is unreadable.
        """
        instance = await self._repo.get(request.model)
        if instance is None or not instance.is_active:
            raise UnknownModelError
        key_id = await self._authorise(instance, bearer, network=context.caller.address or "")
        check_image_input(instance, request)
        caller = RateCaller(address=context.caller.address, instance=instance.slug, key_id=key_id)
        await self._limits.require(caller)
        conversation = self._conversations.turn_of(
            instance, request.messages, chat_id=context.chat_id, user=context.caller.user
        )
        with_key = context if key_id is None else _with_key(context, key_id)
        return self._run_turn(instance, request, with_key, conversation)

    async def _authorise(self, instance: Instance, bearer: SecretText | None, *, network: str) -> str | None:
        if bearer is None or not instance.auth_enabled:
            return await authorise(instance, bearer, self._cipher, self._clock.now())
        return await self._failed_credentials.checked(
            bearer, lambda: authorise(instance, bearer, self._cipher, self._clock.now()), network=network
        )


def _with_key(context: TurnContext, key_id: str) -> TurnContext:
    caller = msgspec.structs.replace(context.caller, key_id=key_id)
    return msgspec.structs.replace(context, caller=caller)
