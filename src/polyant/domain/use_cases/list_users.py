"""Use case: list the users."""

from polyant.domain.ports.user_repo import UserRepo
from polyant.domain.users import UserPage


class ListUsers:
    """Finds users by their email address."""

    def __init__(self, *, users: UserRepo) -> None:
        self._users = users

    async def __call__(self, *, search: str = "", limit: int | None = None, offset: int = 0) -> UserPage:
        """Returns a page of the users whose email address contains the text, ordered by address."""
        return await self._users.list(search=search, limit=limit, offset=offset)
