"""Users: the people who manage instances."""

import enum
import re
from datetime import datetime
from typing import NewType

import msgspec

from polyant.domain.errors import InvalidInputError

UserId = NewType("UserId", str)
"""A user's lasting identity: 32 lowercase hex digits."""

Email = NewType("Email", str)
"""An address to log in with, in lower case, made by `parse_email`."""

EMAIL_PATTERN = re.compile(r"\A[!#-'*+\-./0-9=?A-Z\[\]^-~]{1,64}@[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?\Z")
MAX_EMAIL_CHARACTERS = 320

MIN_PASSWORD_CHARACTERS = 12
MAX_PASSWORD_CHARACTERS = 1_024
PASSWORD_RULE = f"{MIN_PASSWORD_CHARACTERS} to {MAX_PASSWORD_CHARACTERS} characters"

_ID = re.compile(r"\A[0-9a-f]{32}\Z")


class Role(enum.StrEnum):
    """What a user may do."""

    USER = "user"
    """Manages instances."""
    SUPERADMIN = "superadmin"
    """Manages users as well."""


class User(msgspec.Struct, frozen=True, kw_only=True):
    """One person's account; the password is kept as a hash that no repr shows."""

    id: UserId
    email: Email
    role: Role
    password_hash: str
    disabled: bool = False
    created_at: datetime
    updated_at: datetime
    version: int = 0
    """Counts the stored states of this user; 0 is one that was never stored."""

    def __repr__(self) -> str:
        """Returns a text without the hash."""
        return f"User(id={self.id!r}, email={self.email!r}, role={self.role!r})"

    @property
    def is_active_superadmin(self) -> bool:
        """Whether this user can manage users now."""
        return self.role is Role.SUPERADMIN and not self.disabled


class StoredSession(msgspec.Struct, frozen=True, kw_only=True):
    """A session that was issued and not ended."""

    token_id: str
    user_id: UserId
    expires_at: datetime


class SessionRevocation(msgspec.Struct, frozen=True):
    """Which sessions of a user end: all of them, but for one if it is named."""

    keep: str | None = None
    """The token id of the one that goes on."""


class UserPage(msgspec.Struct, frozen=True):
    """One page of a listing, and how many users the whole listing has."""

    users: tuple[User, ...]
    total: int


def parse_user_id(text: str) -> UserId:
    """Returns the text as a user's id.

    Raises:
        InvalidInputError: It isn't 32 lowercase hex digits.
    """
    if not _ID.match(text):
        raise InvalidInputError("A user's id is 32 of 0-9 and a-f")
    return UserId(text)


def parse_email(text: str) -> Email:
    """Returns the text as an email address to log in with, in lower case.

    Raises:
        InvalidInputError: It doesn't look like one.
    """
    email = text.strip().lower()
    if not EMAIL_PATTERN.match(email):
        raise InvalidInputError("email must look like name@host")
    return Email(email)


def check_password(text: str) -> str:
    """Returns the text if it may be a password.

    Raises:
        InvalidInputError: It is too short or too long; the message doesn't show it.
    """
    if not MIN_PASSWORD_CHARACTERS <= len(text) <= MAX_PASSWORD_CHARACTERS:
        raise InvalidInputError(f"A password has {PASSWORD_RULE}")
    return text
