"""Use case: change a stored user safely under concurrent changes."""

from collections.abc import Callable, Collection

import msgspec

from polyant.domain.audit import Change
from polyant.domain.errors import UserChangedError
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.user_repo import UserRepo
from polyant.domain.use_cases.show_user import ShowUser
from polyant.domain.users import SessionRevocation, User, UserId
from polyant.domain.versioned_edit import edit_stored


class EditUser:
    """Reads a user, applies an edit and stores the result; an edit that lost a race is reapplied."""

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
        ends: SessionRevocation | None = None,
        expected_versions: Collection[int] | None = None,
    ) -> User:
        """Returns the user as stored after the edit; the audit entry for `change` is stored with it.

        The user's sessions that `ends` selects end together with the edit.

        Raises:
            UnknownUserError: The user doesn't exist.
            UserChangedError: The user has none of the expected versions, or every attempt lost a race.
            UserExistsError: The new email address is taken.
            LastSuperadminError: The edit would leave no active superadmin.
        """

        async def save_edited(user: User) -> User:
            now = self._clock.now()
            edited = msgspec.structs.replace(edit(user), updated_at=now)
            return await self._users.save(edited, ends=ends, audit=change.entry(now, user=user.email))

        return await edit_stored(
            lambda: self._show(user_id),
            save_edited,
            expected_versions=expected_versions,
            conflict=lambda user: UserChangedError(user.email),
        )
