"""Use case: identify the caller."""

from functools import partial

from polyant.domain.access import Credentials, InvalidCredentialError, InvalidSessionError, matching_key
from polyant.domain.errors import AuthenticationError, SecretUnreadableError
from polyant.domain.failed_credentials import FailedCredentialLimit
from polyant.domain.instances import Instance, InstanceQuery, InstanceStatus, Slug
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.instance_repo import InstanceRepo
from polyant.domain.ports.secret_cipher import SecretCipher
from polyant.domain.secrets import SecretText
from polyant.domain.use_cases.recognise_user import LoggedIn, RecogniseUser

_DOTS_IN_SESSION_TOKEN = 2


class IdentifyCaller:
    """Accepts the API key of any active instance, or a session token."""

    def __init__(
        self,
        *,
        repo: InstanceRepo,
        cipher: SecretCipher,
        recognise: RecogniseUser,
        clock: Clock,
        failed_credentials: FailedCredentialLimit,
    ) -> None:
        self._repo = repo
        self._cipher = cipher
        self._recognise = recognise
        self._clock = clock
        self._failed_credentials = failed_credentials

    async def __call__(self, credentials: Credentials, *, network: str) -> LoggedIn | Slug:
        """Returns the logged-in user of a session, or the slug of the instance that the API key belongs to.

        A bearer token is first looked up as an API key, then verified as a session token. A cookie is used only if
        there is no bearer token.

        Args:
            credentials: The credentials of the request.
            network: The client's address or network, whose failed credentials are limited.

        Raises:
            AuthenticationError: There is no credential.
            InvalidCredentialError: The credential is invalid.
            RateLimitedError: The network sent too many invalid credentials.
        """
        token = credentials.bearer or credentials.cookie
        if token is None:
            raise AuthenticationError("Missing authentication")
        look_up = partial(self._look_up, token, is_bearer=credentials.bearer is not None)
        return await self._failed_credentials.checked(token, look_up, network=network)

    async def _look_up(self, token: SecretText, *, is_bearer: bool) -> LoggedIn | Slug:
        slug = await self._owner_of(token) if is_bearer else None
        return slug or await self._user_of(token, is_bearer=is_bearer)

    async def _user_of(self, token: SecretText, *, is_bearer: bool) -> LoggedIn:
        who = await self._recognise(token)
        if who is not None:
            return who
        if is_bearer and token.reveal().count(".") != _DOTS_IN_SESSION_TOKEN:
            raise InvalidCredentialError("Invalid API key")
        raise InvalidSessionError

    async def _owner_of(self, key: SecretText) -> Slug | None:
        query = InstanceQuery(status=InstanceStatus.ACTIVE, key_fingerprints=await self._cipher.fingerprints(key))
        for found in (await self._repo.list(query)).instances:
            instance = await self._repo.get(found.slug)
            if instance is not None and instance.is_active and await self._has_key(instance, key):
                return instance.slug
        return None

    async def _has_key(self, instance: Instance, key: SecretText) -> bool:
        try:
            return await matching_key(instance, key, self._cipher, self._clock.now()) is not None
        except SecretUnreadableError:
            return False
