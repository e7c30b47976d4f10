"""Use case: identify the user of a session token."""

import msgspec

from polyant.domain.access import Session
from polyant.domain.audit import Actor
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.session_repo import SessionRepo
from polyant.domain.ports.session_tokens import SessionTokens
from polyant.domain.secrets import SecretText
from polyant.domain.users import Role, User


class LoggedIn(msgspec.Struct, frozen=True):
    """A user in an open session."""

    user: User
    session: Session

    @property
    def actor(self) -> Actor:
        """The user's name in the audit trail."""
        return Actor(self.user.email)

    @property
    def unrestricted(self) -> bool:
        """Whether the user may set addresses outside the public internet."""
        return self.user.role is Role.SUPERADMIN


class RecogniseUser:
    """Verifies the token, then reads the session from the store; a forged or expired token causes no query."""

    def __init__(self, *, session_tokens: SessionTokens, sessions: SessionRepo, clock: Clock) -> None:
        self._session_tokens = session_tokens
        self._sessions = sessions
        self._clock = clock

    async def __call__(self, token: SecretText) -> LoggedIn | None:
        """Returns the user as last stored, or None if the token is invalid, the session ended or the user is disabled.

        A deleted user has no sessions.

        Raises:
            StorageUnavailableError: The store is unavailable.
        """
        session = self._session_tokens.verify(token)
        if session is None:
            return None
        user = await self._sessions.user_of(session.token_id, now=self._clock.now())
        if user is None or user.disabled or user.id != session.user_id:
            return None
        return LoggedIn(user, session)
