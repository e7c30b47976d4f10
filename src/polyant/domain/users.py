"""Users: the people who manage instances."""

import enum
import json
import re
from datetime import datetime
from typing import NewType

import msgspec

from polyant.domain.errors import InvalidInputError

UserId = NewType("UserId", str)
"""A user's permanent id: 32 lowercase hex digits."""

Email = NewType("Email", str)
"""An email address for logging in, in lower case; create it with `parse_email`."""

EMAIL_PATTERN = re.compile(r"\A[!#-'*+\-./0-9=?A-Z\[\]^-~]{1,64}@[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?\Z")
MAX_EMAIL_CHARACTERS = 320

MIN_PASSWORD_CHARACTERS = 12
MAX_PASSWORD_CHARACTERS = 1_024
MAX_PASSWORD_JSON_BYTES = 3_072
"""The maximum size of a password as an ASCII-only JSON string, which the body of a login has to hold."""
PASSWORD_RULE = f"{MIN_PASSWORD_CHARACTERS} to {MAX_PASSWORD_CHARACTERS} characters"

_ID = re.compile(r"\A[0-9a-f]{32}\Z")


class Role(enum.StrEnum):
    """The permissions of a user."""

    USER = "user"
    """Manages instances."""
    SUPERADMIN = "superadmin"
    """Manages instances and users."""


class User(msgspec.Struct, frozen=True, kw_only=True):
    """One person's account; the password is stored as a hash, which repr hides."""

    id: UserId
    email: Email
    role: Role
    password_hash: str
    disabled: bool = False
    created_at: datetime
    updated_at: datetime
    version: int = 0
    """Incremented on each write; 0 means that the user was never stored."""

    def __repr__(self) -> str:
        """Returns a representation without the hash."""
        return f"User(id={self.id!r}, email={self.email!r}, role={self.role!r})"

    @property
    def is_active_superadmin(self) -> bool:
        """Whether this user can manage users now."""
        return self.role is Role.SUPERADMIN and not self.disabled


class StoredSession(msgspec.Struct, frozen=True, kw_only=True):
    """A session that was issued and hasn't ended."""

    token_id: str
    user_id: UserId
    expires_at: datetime


class SessionRevocation(msgspec.Struct, frozen=True):
    """The sessions of a user to end: all of them, except `keep`."""

    keep: str | None = None
    """The token id of the session that stays open."""


class UserPage(msgspec.Struct, frozen=True):
    """One page of a listing, and the total number of users that match."""

    users: tuple[User, ...]
    total: int


def parse_user_id(text: str) -> UserId:
    """Returns the text as a user id.

    Raises:
        InvalidInputError: The text isn't 32 lowercase hex digits.
    """
    if not _ID.match(text):
        raise InvalidInputError("A user id must be 32 lowercase hex digits")
    return UserId(text)


def normalise_email(text: str) -> str:
    """Returns the text in the form in which email addresses are stored and compared, valid or not."""
    return text.strip().lower()


def parse_email(text: str) -> Email:
    """Returns the text as an email address for logging in, in lower case.

    Raises:
        InvalidInputError: The text doesn't look like an email address.
    """
    email = normalise_email(text)
    if not EMAIL_PATTERN.match(email):
        raise InvalidInputError("email must look like name@host")
    return Email(email)


def check_password(text: str) -> str:
    """Returns the text if it is a valid new password.

    Raises:
        InvalidInputError: The text is too short or too long; the message doesn't contain it.
    """
    if not MIN_PASSWORD_CHARACTERS <= len(text) <= MAX_PASSWORD_CHARACTERS:
        raise InvalidInputError(f"A password must have {PASSWORD_RULE}")
    if len(json.dumps(text)) > MAX_PASSWORD_JSON_BYTES:
        raise InvalidInputError(
            f"A password must have at most {MAX_PASSWORD_JSON_BYTES} bytes as an escaped JSON string"
        )
    return text
