"""Use case: change one's own password."""

import msgspec

from polyant.domain.audit import Change
from polyant.domain.errors import PermissionDeniedError
from polyant.domain.ports.password_hasher import PasswordHasher
from polyant.domain.secrets import SecretText
from polyant.domain.use_cases.edit_user import EditUser
from polyant.domain.use_cases.recognise_user import LoggedIn
from polyant.domain.users import SessionRevocation, User, check_password


class ChangePassword:
    """Changes the password of a user who knows the current one, and ends the user's other sessions."""

    def __init__(self, *, edit: EditUser, hasher: PasswordHasher) -> None:
        self._edit = edit
        self._hasher = hasher

    async def __call__(self, who: LoggedIn, *, current: SecretText, new: SecretText) -> User:
        """Returns the user as stored.

        Raises:
            InvalidInputError: The new password is too short or too long.
            PermissionDeniedError: The current password is wrong.
            UserChangedError: Another writer changed the user in the meantime, perhaps to lock out somebody who knows
                the current password.
        """
        check_password(new.reveal())
        if not await self._hasher.verify(current, who.user.password_hash):
            raise PermissionDeniedError("The current password is wrong")
        hashed = await self._hasher.hash(new)
        change = Change(who.actor, "user.update", ("password",))
        return await self._edit(
            who.user.id,
            lambda user: msgspec.structs.replace(user, password_hash=hashed),
            change,
            ends=SessionRevocation(keep=who.session.token_id),
            expected_versions={who.user.version},
        )
