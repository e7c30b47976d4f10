"""Use case: tell who is calling."""

from polyant.domain.access import Credentials, Session, holds_key
from polyant.domain.errors import AuthenticationError, SecretUnreadableError
from polyant.domain.instances import InstanceQuery, InstanceStatus, Slug
from polyant.domain.ports.instance_repo import InstanceRepo
from polyant.domain.ports.secret_cipher import SecretCipher
from polyant.domain.ports.session_verifier import SessionVerifier
from polyant.domain.secrets import SecretText


class InvalidCredentialError(AuthenticationError):
    """A credential was presented, and it is worth nothing."""

    def __init__(self) -> None:
        super().__init__("Invalid or expired session")


class IdentifyCaller:
    """Accepts any active instance's API key, or a session."""

    def __init__(self, *, repo: InstanceRepo, cipher: SecretCipher, sessions: SessionVerifier) -> None:
        self._repo = repo
        self._cipher = cipher
        self._sessions = sessions

    async def __call__(self, credentials: Credentials) -> Session | Slug:
        """Returns the session, or the slug of an instance whose key the caller holds.

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
        session = self._sessions.verify(token)
        if session is None:
            raise InvalidCredentialError
        return session

    async def _owner_of(self, key: SecretText) -> Slug | None:
        query = InstanceQuery(status=InstanceStatus.ACTIVE, key_fingerprints=self._cipher.fingerprints(key))
        for found in (await self._repo.list(query)).instances:
            instance = await self._repo.get(found.slug)
            try:
                if instance is not None and instance.is_active and holds_key(instance, key, self._cipher):
                    return instance.slug
            except SecretUnreadableError:
                continue
        return None
