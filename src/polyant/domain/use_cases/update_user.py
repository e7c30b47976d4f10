"""Use case: change a user."""

from collections.abc import Collection
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from polyant.domain.audit import Actor, Change
from polyant.domain.password_queue import PasswordQueue
from polyant.domain.secrets import SecretText
from polyant.domain.use_cases.edit_user import EditUser
from polyant.domain.users import Role, SessionRevocation, User, UserId, check_password, parse_email


class UserPatch(msgspec.Struct, frozen=True, kw_only=True):
    """The fields to change; unset fields keep their values."""

    email: str | UnsetType = UNSET
    role: Role | UnsetType = UNSET
    disabled: bool | UnsetType = UNSET
    password: SecretText | UnsetType = UNSET


class UpdateUser:
    """Applies a patch to a stored user; disabling a user or changing the password ends all the user's sessions."""

    def __init__(self, *, edit: EditUser, passwords: PasswordQueue) -> None:
        self._edit = edit
        self._passwords = passwords

    async def __call__(
        self, user_id: UserId, patch: UserPatch, *, by: Actor, expected_versions: Collection[int] | None = None
    ) -> User:
        """Returns the stored user.

        Raises:
            UnknownUserError: The user doesn't exist.
            UserChangedError: The user has none of the expected versions.
            InvalidInputError: A value is invalid.
            UserExistsError: The email address is taken.
            LastSuperadminError: The change would leave no active superadmin.
            ServerBusyError: Too many passwords are being hashed.
        """
        names = tuple(name for name in patch.__struct_fields__ if getattr(patch, name) is not UNSET)
        values = await self._values_of(patch)
        logs_out = patch.disabled is True or patch.password is not UNSET
        return await self._edit(
            user_id,
            lambda user: msgspec.structs.replace(user, **values),
            Change(by, "user.update", names),
            ends=SessionRevocation() if logs_out else None,
            expected_versions=expected_versions,
        )

    async def _values_of(self, patch: UserPatch) -> dict[str, Any]:
        values: dict[str, Any] = {}
        if patch.email is not UNSET:
            values["email"] = parse_email(patch.email)
        if patch.role is not UNSET:
            values["role"] = patch.role
        if patch.disabled is not UNSET:
            values["disabled"] = patch.disabled
        if patch.password is not UNSET:
            check_password(patch.password.reveal())
            values["password_hash"] = await self._passwords.hash(patch.password)
        return values
