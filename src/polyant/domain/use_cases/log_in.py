"""Use case: open a session."""

from datetime import timedelta

from polyant.domain.access import Session
from polyant.domain.audit import Change
from polyant.domain.errors import AuthenticationError, InvalidInputError, UnknownUserError, UserChangedError
from polyant.domain.login_limits import LoginLimits, LoginOrigin
from polyant.domain.password_queue import PasswordQueue
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.session_repo import SessionRepo
from polyant.domain.ports.session_tokens import SessionTokens
from polyant.domain.ports.token_source import TokenSource
from polyant.domain.ports.user_repo import UserRepo
from polyant.domain.secrets import SecretText
from polyant.domain.use_cases.recognise_user import LoggedIn
from polyant.domain.users import StoredSession, User, parse_email

SESSION_LIFETIME = timedelta(hours=12)


class WrongPasswordError(AuthenticationError):
    """The email address or password is wrong; the error doesn't reveal whether the user exists."""

    def __init__(self) -> None:
        super().__init__("Wrong email address or password")


class OpenedSession(LoggedIn, frozen=True):
    """A user in a new session, and the token that authenticates it."""

    token: SecretText


class LogIn:
    """Opens sessions; neither the response time nor the limits reveal whether the user exists.

    Count the request with `LoginLimits.count_request` before its body is read.
    """

    def __init__(
        self,
        *,
        users: UserRepo,
        sessions: SessionRepo,
        passwords: PasswordQueue,
        limits: LoginLimits,
        clock: Clock,
        tokens: TokenSource,
        session_tokens: SessionTokens,
    ) -> None:
        self._users = users
        self._sessions = sessions
        self._passwords = passwords
        self._limits = limits
        self._clock = clock
        self._tokens = tokens
        self._session_tokens = session_tokens

    async def __call__(self, email: str, password: SecretText, *, network: str) -> OpenedSession:
        """Returns the user in a new session, with its token.

        Args:
            email: The email address, in any spelling.
            password: The password.
            network: The client's address or network, as rate limits see it.

        Raises:
            WrongPasswordError: The user doesn't exist or is disabled, or the password is wrong.
            RateLimitedError: There were too many attempts for this account.
            ServerBusyError: Too many logins are waiting; the attempt isn't counted.
        """
        origin = await self._limits.origin_of(email, network=network)
        with self._passwords.place(trusted=origin.is_known) as place:
            await self._limits.count_attempt(origin)
            user = await self._find(email)
            password_hash = user.password_hash if user is not None else None
            correct = await place.verify(password, password_hash)
        while user is not None and user.password_hash == password_hash and correct and not user.disabled:
            try:
                return await self._open_session(user, origin)
            except (UserChangedError, UnknownUserError):  # perhaps to lock out somebody who knows the password
                user = await self._users.get(user.id)
        raise WrongPasswordError

    async def _find(self, email: str) -> User | None:
        try:
            return await self._users.find(parse_email(email))
        except InvalidInputError:
            return None

    async def _open_session(self, user: User, origin: LoginOrigin) -> OpenedSession:
        now = self._clock.now()
        session = Session(user_id=user.id, token_id=self._tokens.session_id(), expires_at=now + SESSION_LIFETIME)
        stored = StoredSession(token_id=session.token_id, user_id=user.id, expires_at=session.expires_at)
        opened = OpenedSession(user, session, self._session_tokens.issue(session))
        audit = Change(opened.actor, "session.login").entry(now, user=user.email)
        await self._sessions.add(stored, user_version=user.version, now=now, audit=audit)
        await self._limits.remember(origin)
        return opened
