"""Use case: change one's own password."""

import msgspec

from polyant.domain.audit import Change
from polyant.domain.errors import PermissionDeniedError
from polyant.domain.login_limits import LoginLimits
from polyant.domain.password_queue import PasswordQueue
from polyant.domain.secrets import SecretText
from polyant.domain.use_cases.edit_user import EditUser
from polyant.domain.use_cases.recognise_user import LoggedIn
from polyant.domain.users import SessionRevocation, User, check_password


class ChangePassword:
    """Changes the password of a user who knows the current one, and ends the user's other sessions."""

    def __init__(self, *, edit: EditUser, passwords: PasswordQueue, limits: LoginLimits) -> None:
        self._edit = edit
        self._passwords = passwords
        self._limits = limits

    async def __call__(self, who: LoggedIn, *, current: SecretText, new: SecretText) -> User:
        """Returns the user as stored.

        Raises:
            RateLimitedError: There were too many attempts for this account.
            InvalidInputError: The new password is too short or too long.
            PermissionDeniedError: The current password is wrong.
            UserChangedError: Another writer changed the user in the meantime, perhaps to lock out somebody who knows
                the current password.
            ServerBusyError: Too many passwords are being hashed.
        """
        await self._limits.count_password_change(who.user.email)
        check_password(new.reveal())
        with self._passwords.place(trusted=True) as place:
            if not await place.verify(current, who.user.password_hash):
                raise PermissionDeniedError("The current password is wrong")
            hashed = await place.hash(new)
        change = Change(who.actor, "user.update", ("password",))
        return await self._edit(
            who.user.id,
            lambda user: msgspec.structs.replace(user, password_hash=hashed),
            change,
            ends=SessionRevocation(keep=who.session.token_id),
            expected_versions={who.user.version},
        )
