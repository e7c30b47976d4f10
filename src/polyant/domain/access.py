"""Who may talk to an instance: bearer tokens, API keys, sessions."""

import hmac
from datetime import datetime

import msgspec

from polyant.domain.errors import AuthenticationError
from polyant.domain.instances import Instance
from polyant.domain.ports.secret_cipher import SecretCipher
from polyant.domain.secrets import CALLER_KEYS, SealedSecret, SecretText

_KEY_ID_DIGITS = 12


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a session token speaks for."""

    user_id: str
    token_id: str
    expires_at: datetime


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """What a caller presents; a bearer token beats a cookie."""

    bearer: SecretText | None = None
    cookie: SecretText | None = None


def bearer_of(header: str | None) -> SecretText | None:
    """Returns the token of an Authorization header; None without one, for another scheme or an empty token."""
    scheme, _, token = (header or "").strip().partition(" ")
    token = token.strip()
    return SecretText(token) if scheme.lower() == "bearer" and token else None


async def authorise(instance: Instance, bearer: SecretText | None, cipher: SecretCipher, now: datetime) -> str | None:
    """Returns if the bearer may talk to the instance now: the public id of the key it is, None if none is required.

    Raises:
        AuthenticationError: It may not; the message is the wire's own.
        SecretUnreadableError: A stored key doesn't open.
    """
    if not instance.auth_enabled:
        return None
    if bearer is None:
        raise AuthenticationError("Missing Bearer token")
    if not instance.has_auth_key:
        raise AuthenticationError("Auth enabled but no API key configured")
    key = await key_held(instance, bearer, cipher, now)
    if key is None:
        raise AuthenticationError("Invalid API key")
    return key_id_of(key)


async def key_held(instance: Instance, bearer: SecretText, cipher: SecretCipher, now: datetime) -> SealedSecret | None:
    """Returns the instance's API key, or the one before it until that expires, if the bearer is that key.

    It takes a time that doesn't tell how much of the bearer is right.

    Raises:
        SecretUnreadableError: A stored key doesn't open.
    """
    for name in CALLER_KEYS:
        stored = instance.secrets.get(name)
        if stored is not None and stored.counts_at(now):
            key = await cipher.open(stored.sealed, instance.address_of(stored))
            if hmac.compare_digest(_bytes_of(key), _bytes_of(bearer)):
                return stored
    return None


def key_id_of(key: SealedSecret) -> str | None:
    """Returns the public id of an API key, which may be shown and logged; None for one stored without a fingerprint.

    A key keeps its id until the master key is rotated.
    """
    return None if key.fingerprint is None else f"key_{key.fingerprint[:_KEY_ID_DIGITS]}"


def _bytes_of(secret: SecretText) -> bytes:
    # surrogatepass: a bearer is whatever a stranger sent, and no text may make the comparison raise.
    return secret.reveal().encode("utf-8", "surrogatepass")
