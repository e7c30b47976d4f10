"""Use case: delete a user."""

from polyant.domain.audit import Actor, Change
from polyant.domain.errors import UnknownUserError
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.user_repo import UserRepo
from polyant.domain.users import UserId


class DeleteUser:
    """Removes a user, who is out at once."""

    def __init__(self, *, users: UserRepo, clock: Clock) -> None:
        self._users = users
        self._clock = clock

    async def __call__(self, user_id: UserId, *, by: Actor) -> None:
        """Returns once the user and all its sessions are gone.

        Raises:
            UnknownUserError: There is none.
            LastSuperadminError: It is the last active superadmin.
        """
        user = await self._users.get(user_id)
        if user is None:
            raise UnknownUserError
        await self._users.delete(user_id, audit=Change(by, "user.delete").entry(self._clock.now(), user=user.email))
