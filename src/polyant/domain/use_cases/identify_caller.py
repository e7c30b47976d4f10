"""Use case: tell who is calling."""

from polyant.domain.access import Credentials, key_held
from polyant.domain.errors import AuthenticationError, SecretUnreadableError
from polyant.domain.instances import Instance, InstanceQuery, InstanceStatus, Slug
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.instance_repo import InstanceRepo
from polyant.domain.ports.secret_cipher import SecretCipher
from polyant.domain.secrets import SecretText
from polyant.domain.use_cases.recognise_user import LoggedIn, RecogniseUser


class InvalidCredentialError(AuthenticationError):
    """A credential was presented, and it is worth nothing."""

    def __init__(self) -> None:
        super().__init__("Invalid or expired session")


class IdentifyCaller:
    """Accepts any active instance's API key, or a session."""

    def __init__(self, *, repo: InstanceRepo, cipher: SecretCipher, recognise: RecogniseUser, clock: Clock) -> None:
        self._repo = repo
        self._cipher = cipher
        self._recognise = recognise
        self._clock = clock

    async def __call__(self, credentials: Credentials) -> LoggedIn | Slug:
        """Returns the user in a session, or the slug of an instance whose key the caller holds.

        A bearer token is looked up as a key first, then verified as a session; a cookie counts only without one.

        Raises:
            AuthenticationError: There is no credential.
            InvalidCredentialError: There is a bad one.
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
            if instance is not None and instance.is_active and await self._holds(instance, key):
                return instance.slug
        return None

    async def _holds(self, instance: Instance, key: SecretText) -> bool:
        try:
            return await key_held(instance, key, self._cipher, self._clock.now()) is not None
        except SecretUnreadableError:
            return False
