"""Use case: identify the caller."""

from polyant.domain.access import Credentials, matching_key
from polyant.domain.errors import AuthenticationError, SecretUnreadableError
from polyant.domain.instances import Instance, InstanceQuery, InstanceStatus, Slug
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.instance_repo import InstanceRepo
from polyant.domain.ports.secret_cipher import SecretCipher
from polyant.domain.secrets import SecretText
from polyant.domain.use_cases.recognise_user import LoggedIn, RecogniseUser


class InvalidCredentialError(AuthenticationError):
    """The presented credential is invalid."""

    def __init__(self) -> None:
        super().__init__("Invalid or expired session")


class IdentifyCaller:
    """Accepts the API key of any active instance, or a session token."""

    def __init__(self, *, repo: InstanceRepo, cipher: SecretCipher, recognise: RecogniseUser, clock: Clock) -> None:
        self._repo = repo
        self._cipher = cipher
        self._recognise = recognise
        self._clock = clock

    async def __call__(self, credentials: Credentials) -> LoggedIn | Slug:
        """Returns the logged-in user of a session, or the slug of the instance that the API key belongs to.

        A bearer token is first looked up as an API key, then verified as a session token. A cookie is used only if
        there is no bearer token.

        Raises:
            AuthenticationError: There is no credential.
            InvalidCredentialError: The credential is invalid.
        """
        if credentials.bearer is not None:
            slug = await self._owner_of(credentials.bearer)
            if slug is not None:
                return slug
        token = credentials.bearer or credentials.cookie
        if token is None:
            raise AuthenticationError("Missing authentication")
        who = await self._recognise(token)
        if who is None:
            raise InvalidCredentialError
        return who

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
