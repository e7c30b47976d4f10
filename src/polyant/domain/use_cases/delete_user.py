"""Use case: delete a user."""

from collections.abc import Collection

from polyant.domain.audit import Actor, Change
from polyant.domain.errors import UserChangedError
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.user_repo import UserRepo
from polyant.domain.use_cases.show_user import ShowUser
from polyant.domain.users import UserId
from polyant.domain.versioned_edit import check_version


class DeleteUser:
    """Deletes a user and logs the user out immediately."""

    def __init__(self, *, users: UserRepo, clock: Clock) -> None:
        self._users = users
        self._show = ShowUser(users=users)
        self._clock = clock

    async def __call__(self, user_id: UserId, *, by: Actor, expected_versions: Collection[int] | None = None) -> None:
        """Deletes the user and all its sessions.

        Raises:
            UnknownUserError: The user doesn't exist.
            UserChangedError: The user has none of the expected versions.
            LastSuperadminError: The user is the last active superadmin.
        """
        user = await self._show(user_id)
        check_version(user, expected_versions, lambda stored: UserChangedError(stored.email))
        version = None if expected_versions is None else user.version
        audit = Change(by, "user.delete").entry(self._clock.now(), user=user.email)
        await self._users.delete(user_id, version=version, audit=audit)
