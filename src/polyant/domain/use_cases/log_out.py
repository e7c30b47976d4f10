"""Use case: end a session."""

from polyant.domain.audit import Actor, Change
from polyant.domain.errors import UnknownUserError
from polyant.domain.ports.audit_log import AuditLog
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.session_repo import SessionRepo
from polyant.domain.ports.user_repo import UserRepo
from polyant.domain.use_cases.recognise_user import LoggedIn
from polyant.domain.users import User, UserId


class LogOut:
    """Ends one session, or all of a user's."""

    def __init__(self, *, users: UserRepo, sessions: SessionRepo, audit_log: AuditLog, clock: Clock) -> None:
        self._users = users
        self._sessions = sessions
        self._audit_log = audit_log
        self._clock = clock

    async def __call__(self, who: LoggedIn) -> None:
        """Returns once this session has ended."""
        await self._sessions.end(who.session.token_id)
        await self._note(Change(who.actor, "session.logout"), who.user)

    async def everywhere(self, user_id: UserId, *, by: Actor) -> None:
        """Returns once every session of the user has ended.

        Raises:
            UnknownUserError: There is no such user.
        """
        user = await self._users.get(user_id)
        if user is None:
            raise UnknownUserError
        await self._sessions.end_all(user_id)
        await self._note(Change(by, "session.logout", ("everywhere",)), user)

    async def _note(self, change: Change, user: User) -> None:
        await self._audit_log.add(change.entry(self._clock.now(), user=user.email))
