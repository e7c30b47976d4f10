"""Use case: end a session."""

from polyant.domain.audit import Actor, Change
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.session_repo import SessionRepo
from polyant.domain.ports.user_repo import UserRepo
from polyant.domain.use_cases.recognise_user import LoggedIn
from polyant.domain.use_cases.show_user import ShowUser
from polyant.domain.users import UserId


class LogOut:
    """Ends one session or all sessions of a user."""

    def __init__(self, *, users: UserRepo, sessions: SessionRepo, clock: Clock) -> None:
        self._show = ShowUser(users=users)
        self._sessions = sessions
        self._clock = clock

    async def __call__(self, who: LoggedIn) -> None:
        """Ends this session."""
        audit = Change(who.actor, "session.logout").entry(self._clock.now(), user=who.user.email)
        await self._sessions.end(who.session.token_id, audit=audit)

    async def log_out_all(self, user_id: UserId, *, by: Actor) -> None:
        """Ends every session of the user.

        Raises:
            UnknownUserError: The user doesn't exist.
        """
        user = await self._show(user_id)
        change = Change(by, "session.logout", ("everywhere",))
        await self._sessions.end_all(user_id, audit=change.entry(self._clock.now(), user=user.email))
