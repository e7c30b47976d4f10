"""Secrets: their names, their addresses, and a type that keeps them out of logs and reprs."""

import re
from datetime import datetime
from typing import NewType

import msgspec

from polyant.domain.errors import InvalidInputError

SecretName = NewType("SecretName", str)
"""The name of a secret within its instance; create it with `parse_secret_name`."""

AUTH_API_KEY = SecretName("auth_api_key")
"""The key that callers of the instance present as their Bearer token."""

PREVIOUS_AUTH_API_KEY = SecretName("auth_api_key_previous")
"""The previous key, which callers may use until it expires."""

CALLER_KEYS = (AUTH_API_KEY, PREVIOUS_AUTH_API_KEY)

API_KEY_PREFIX = "sk-"

SECRET_NAME_PATTERN = re.compile(r"\A[a-z][a-z0-9_]{0,63}\Z")
MAX_SECRET_CHARACTERS = 16_384

API_KEY_PATTERN = re.compile(r"\A[!-~]{8,512}\Z")
API_KEY_RULE = "8 to 512 visible ASCII characters without spaces"
"""The rule for the value of a secret whose name ends in `_key`."""

MIN_CALLER_KEY_CHARACTERS = 16
"""The minimum length of a key for callers that an operator chooses: a shorter one could be guessed."""
CALLER_KEY_PATTERN = re.compile(rf"\A[!-~]{{{MIN_CALLER_KEY_CHARACTERS},512}}\Z")
CALLER_KEY_RULE = f"{MIN_CALLER_KEY_CHARACTERS} to 512 visible ASCII characters without spaces"


class SecretText:
    """A plaintext secret; only `reveal` returns it, while repr and formatting hide it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Returns the plaintext."""
        return self._text

    def __repr__(self) -> str:
        """Returns a representation without the secret."""
        return "SecretText(…)"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        """Raises TypeError: secrets must be compared with `hmac.compare_digest`."""
        raise TypeError("compare revealed secrets with hmac.compare_digest")

    __hash__ = None  # type: ignore[assignment]


class SecretAddress(msgspec.Struct, frozen=True, kw_only=True):
    """The place that an encrypted secret is bound to; it can't be decrypted for another address."""

    instance_id: str
    name: SecretName
    origin: str | None = None
    """The only origin (scheme, host, port) that the secret may be sent to; None if it isn't bound to one."""


class SealedSecret(msgspec.Struct, frozen=True, kw_only=True):
    """An encrypted secret as it is stored."""

    name: SecretName
    sealed: str
    updated_at: datetime
    fingerprint: str | None = None
    """A keyed hash for finding an instance by its API key; only callers' keys have one."""
    origin: str | None = None
    expires_at: datetime | None = None
    """The time when the secret expires; None means never."""

    def __repr__(self) -> str:
        """Returns a representation with only the secret's name."""
        return f"SealedSecret(name={self.name!r})"

    def is_valid_at(self, moment: datetime) -> bool:
        """Returns whether the secret hasn't expired at that moment."""
        return self.expires_at is None or moment < self.expires_at


def parse_secret_name(text: str) -> SecretName:
    """Returns the text as the name of a secret.

    Raises:
        InvalidInputError: The text isn't a lowercase letter followed by up to 63 of a-z, 0-9 and _.
    """
    if not SECRET_NAME_PATTERN.match(text):
        raise InvalidInputError("A secret name must be 1 to 64 characters: a-z, 0-9 and _, starting with a letter")
    return SecretName(text)


def parse_secret_value(name: SecretName, text: str) -> SecretText:
    """Returns the text as the value of the secret `name`.

    Raises:
        InvalidInputError: The text is empty, is too long or contains U+0000; or it breaks `CALLER_KEY_RULE` for a key
            for callers, or `API_KEY_RULE` for another name that ends in `_key`.
    """
    if not text or len(text) > MAX_SECRET_CHARACTERS or "\0" in text:
        raise InvalidInputError(
            f"A secret must have 1 to {MAX_SECRET_CHARACTERS} characters and must not contain U+0000"
        )
    if name in CALLER_KEYS and not CALLER_KEY_PATTERN.match(text):
        raise InvalidInputError(f"The value of {name} must be {CALLER_KEY_RULE}")
    if name.endswith("_key") and not API_KEY_PATTERN.match(text):
        raise InvalidInputError(f"The value of {name} must be {API_KEY_RULE}")
    return SecretText(text)
