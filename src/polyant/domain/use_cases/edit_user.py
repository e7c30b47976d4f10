"""Use case: change a stored user, whatever others do meanwhile."""

from collections.abc import Callable, Collection

import msgspec

from polyant.domain.audit import Change
from polyant.domain.errors import UserChangedError
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.user_repo import UserRepo
from polyant.domain.use_cases.show_user import ShowUser
from polyant.domain.users import EndedSessions, User, UserId

_MOST_ATTEMPTS = 20


class EditUser:
    """Reads a user, applies an edit and stores it; an edit that lost a race is applied again."""

    def __init__(self, *, users: UserRepo, clock: Clock) -> None:
        self._users = users
        self._show = ShowUser(users=users)
        self._clock = clock

    async def __call__(
        self,
        user_id: UserId,
        edit: Callable[[User], User],
        change: Change,
        *,
        ends: EndedSessions | None = None,
        expected_versions: Collection[int] | None = None,
    ) -> User:
        """Returns the user as stored after the edit, with what the audit trail tells of it.

        Together with the edit those sessions of the user end that `ends` tells of.

        Raises:
            UnknownUserError: There is none.
            UserChangedError: It has none of the expected versions, or others change it all the time.
            UserExistsError: The new address is taken.
            LastSuperadminError: No active superadmin would be left.
        """
        attempts_left = _MOST_ATTEMPTS
        while True:
            attempts_left -= 1
            user = await self._show(user_id)
            if expected_versions is not None and user.version not in expected_versions:
                raise UserChangedError(user.email)
            now = self._clock.now()
            edited = msgspec.structs.replace(edit(user), updated_at=now)
            try:
                return await self._users.save(edited, ends=ends, audit=change.entry(now, user=user.email))
            except UserChangedError:
                if not attempts_left:
                    raise
