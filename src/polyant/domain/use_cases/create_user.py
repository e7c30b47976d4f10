"""Use case: create a user."""

from polyant.domain.audit import Actor, Change
from polyant.domain.password_queue import PasswordQueue
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.token_source import TokenSource
from polyant.domain.ports.user_repo import UserRepo
from polyant.domain.secrets import SecretText
from polyant.domain.users import Role, User, check_password, parse_email


class CreateUser:
    """Stores a new user who can log in with the password."""

    def __init__(self, *, users: UserRepo, passwords: PasswordQueue, clock: Clock, tokens: TokenSource) -> None:
        self._users = users
        self._passwords = passwords
        self._clock = clock
        self._tokens = tokens

    async def __call__(self, email: str, password: SecretText, *, role: Role = Role.USER, by: Actor) -> User:
        """Returns the stored user.

        Raises:
            InvalidInputError: The email address is malformed, or the password is too short or too long.
            UserExistsError: The email address is taken.
            ServerBusyError: Too many passwords are being hashed.
        """
        address = parse_email(email)
        check_password(password.reveal())
        hashed = await self._passwords.hash(password)
        now = self._clock.now()
        user = User(
            id=self._tokens.user_id(), email=address, role=role, password_hash=hashed, created_at=now, updated_at=now
        )
        return await self._users.add(user, audit=Change(by, "user.create", (role,)).entry(now, user=address))
