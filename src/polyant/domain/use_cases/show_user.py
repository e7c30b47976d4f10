"""Use case: show one user."""

from polyant.domain.errors import UnknownUserError
from polyant.domain.ports.user_repo import UserRepo
from polyant.domain.users import User, UserId


class ShowUser:
    """Finds an active or disabled user."""

    def __init__(self, *, users: UserRepo) -> None:
        self._users = users

    async def __call__(self, user_id: UserId) -> User:
        """Returns the user as last stored.

        Raises:
            UnknownUserError: No user has that id.
        """
        user = await self._users.get(user_id)
        if user is None:
            raise UnknownUserError
        return user
