"""Access to instances: bearer tokens, API keys, sessions."""

import hmac
from datetime import datetime

import msgspec

from polyant.domain.errors import AuthenticationError
from polyant.domain.instances import Instance
from polyant.domain.ports.secret_cipher import SecretCipher
from polyant.domain.secrets import CALLER_KEYS, SealedSecret, SecretText

_KEY_ID_DIGITS = 12


class InvalidCredentialError(AuthenticationError):
    """The caller presented a credential, and it is invalid; such failures are limited per network."""


class InvalidSessionError(InvalidCredentialError):
    """The session token is invalid or expired, or its session has ended."""

    def __init__(self) -> None:
        super().__init__("Invalid or expired session")


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """The user and session that a session token authenticates."""

    user_id: str
    token_id: str
    expires_at: datetime


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """The credentials that a caller presents; a bearer token takes precedence over a cookie."""

    bearer: SecretText | None = None
    cookie: SecretText | None = None


def bearer_of(header: str | None) -> SecretText | None:
    """Returns the bearer token of an Authorization header, or None if it has another scheme or no token."""
    scheme, _, token = (header or "").strip().partition(" ")
    token = token.strip()
    return SecretText(token) if scheme.lower() == "bearer" and token else None


async def authorise(instance: Instance, bearer: SecretText | None, cipher: SecretCipher, now: datetime) -> str | None:
    """Returns the public id of the API key that the bearer token matches, or None if the instance requires no key.

    Raises:
        InvalidCredentialError: The bearer token is no valid key of the instance.
        AuthenticationError: There is no bearer token, or the instance has no key. Callers see the message on the wire.
        SecretUnreadableError: A stored key can't be decrypted.
    """
    if not instance.auth_enabled:
        return None
    if bearer is None:
        raise AuthenticationError("Missing Bearer token")
    if not instance.has_auth_key:
        raise AuthenticationError("Auth enabled but no API key configured")
    key = await matching_key(instance, bearer, cipher, now)
    if key is None:
        raise InvalidCredentialError("Invalid API key")
    return key_id_of(key)


async def matching_key(
    instance: Instance, bearer: SecretText, cipher: SecretCipher, now: datetime
) -> SealedSecret | None:
    """Returns the stored API key that the bearer token matches: the current one, or the previous one until it expires.

    The comparison takes constant time, so timing doesn't reveal how much of the token is right.

    Raises:
        SecretUnreadableError: A stored key can't be decrypted.
    """
    for name in CALLER_KEYS:
        stored = instance.secrets.get(name)
        if stored is not None and stored.is_valid_at(now):
            key = await cipher.open(stored.sealed, instance.address_of(stored))
            if hmac.compare_digest(_bytes_of(key), _bytes_of(bearer)):
                return stored
    return None


def key_id_of(key: SealedSecret) -> str | None:
    """Returns the public id of an API key, which may be shown and logged, or None for a key without a fingerprint.

    The id of a key changes when the master key is rotated.
    """
    return None if key.fingerprint is None else f"key_{key.fingerprint[:_KEY_ID_DIGITS]}"


def _bytes_of(secret: SecretText) -> bytes:
    # surrogatepass: a bearer token is untrusted input, and no text may make the comparison raise.
    return secret.reveal().encode("utf-8", "surrogatepass")
