"""Use case: store a secret of an instance."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

import msgspec

from polyant.domain.audit import Actor, Change
from polyant.domain.errors import InvalidInputError, SecretUnreadableError
from polyant.domain.instances import Instance, Slug
from polyant.domain.ports.chat_model import ProviderInfo
from polyant.domain.ports.secret_cipher import SecretCipher
from polyant.domain.provider_keys import secret_origin
from polyant.domain.secrets import (
    AUTH_API_KEY,
    CALLER_KEYS,
    PREVIOUS_AUTH_API_KEY,
    SealedSecret,
    SecretAddress,
    SecretName,
    SecretText,
    parse_secret_name,
    parse_secret_value,
)
from polyant.domain.use_cases.edit_instance import EditInstance

MAX_GRACE_SECONDS = 30 * 24 * 60 * 60


class SetSecret:
    """Encrypts a value and stores it; a provider key is bound to the provider's current address.

    A new key for callers replaces the current one as in `IssueKey`, but leaves auth unchanged.
    """

    def __init__(self, *, edit: EditInstance, cipher: SecretCipher, providers: Mapping[str, ProviderInfo]) -> None:
        self._edit = edit
        self._cipher = cipher
        self._providers = providers

    async def __call__(self, slug: Slug, name: str, value: str, *, by: Actor, grace_seconds: int = 0) -> SealedSecret:
        """Returns the stored secret.

        Args:
            slug: The instance.
            name: The secret's name.
            value: The plaintext.
            by: The author of the change.
            grace_seconds: The overlap period of a replaced API key; 0 for other secrets.

        Raises:
            UnknownInstanceError: No instance has that slug.
            InvalidInputError: The name, the value or the overlap period is invalid, or a secret other than the API key
                for callers has an overlap period.
        """
        overlap = check_overlap(grace_seconds)
        if overlap and name != AUTH_API_KEY:
            raise InvalidInputError(f"Only {AUTH_API_KEY} can have an overlap period")
        return (await self._store(slug, {name: value}, by=by, overlap=overlap)).secrets[SecretName(name)]

    async def set_many(
        self, slug: Slug, values: Mapping[str, str], *, by: Actor, expected_versions: Collection[int] | None = None
    ) -> Instance:
        """Returns the instance with all of the secrets; either all or none are stored.

        Raises:
            UnknownInstanceError: No instance has that slug.
            InstanceChangedError: The instance has none of the expected versions.
            InvalidInputError: A name or a value is invalid.
        """
        return await self._store(slug, values, by=by, overlap=timedelta(), expected_versions=expected_versions)

    async def _store(
        self,
        slug: Slug,
        values: Mapping[str, str],
        *,
        by: Actor,
        overlap: timedelta,
        expected_versions: Collection[int] | None = None,
    ) -> Instance:
        secrets = parse_secrets(values)

        async def store(instance: Instance, now: datetime) -> Instance:
            return await with_secrets(
                self._cipher, instance, secrets, providers=self._providers, now=now, overlap=overlap
            )

        change = Change(by, "secret.set", tuple(secrets))
        return await self._edit(slug, store, change, expected_versions=expected_versions)


def parse_secrets(values: Mapping[str, str]) -> dict[SecretName, SecretText]:
    """Returns the secrets to store.

    Raises:
        InvalidInputError: A name or a value is invalid.
    """
    names = {name: _parse_settable_name(name) for name in values}
    return {names[name]: parse_secret_value(names[name], value) for name, value in values.items()}


async def with_secrets(
    cipher: SecretCipher,
    instance: Instance,
    secrets: Mapping[SecretName, SecretText],
    *,
    providers: Mapping[str, ProviderInfo],
    now: datetime,
    overlap: timedelta = timedelta(),
) -> Instance:
    """Returns the instance with the encrypted secrets, each bound to the address that it is for.

    A new key for callers replaces the current one, which is valid until the end of the overlap.
    """
    for name, secret in secrets.items():
        if name == AUTH_API_KEY:
            instance = await with_auth_key(cipher, instance, secret, now=now, overlap=overlap)
        else:
            origin = secret_origin(instance, name, providers)
            instance = with_secret(instance, await seal(cipher, instance, name, secret, now=now, origin=origin))
    return instance


async def seal(
    cipher: SecretCipher,
    instance: Instance,
    name: SecretName,
    secret: SecretText,
    *,
    now: datetime,
    origin: str | None = None,
    expires_at: datetime | None = None,
) -> SealedSecret:
    """Returns the secret encrypted for the instance, with a fingerprint if it is a key for callers."""
    address = SecretAddress(instance_id=instance.id, name=name, origin=origin)
    return SealedSecret(
        name=name,
        sealed=await cipher.seal(secret, address),
        updated_at=now,
        fingerprint=(await cipher.fingerprints(secret))[0] if name in CALLER_KEYS else None,
        origin=origin,
        expires_at=expires_at,
    )


def with_secret(instance: Instance, sealed: SealedSecret) -> Instance:
    """Returns the instance with the encrypted secret, which replaces an earlier one with the same name."""
    return msgspec.structs.replace(instance, secrets={**instance.secrets, sealed.name: sealed})


async def with_auth_key(
    cipher: SecretCipher, instance: Instance, key: SecretText, *, now: datetime, overlap: timedelta
) -> Instance:
    """Returns the instance with a new key for callers; the replaced key is valid until the end of the overlap."""
    kept = {name: secret for name, secret in instance.secrets.items() if name not in CALLER_KEYS}
    previous = await _previous_key(cipher, instance, now=now, overlap=overlap)
    if previous is not None:
        kept[previous.name] = previous
    cleared = msgspec.structs.replace(instance, secrets=kept)
    return with_secret(cleared, await seal(cipher, instance, AUTH_API_KEY, key, now=now))


def check_overlap(seconds: int) -> timedelta:
    """Returns the overlap period, for which a replaced key remains valid.

    Raises:
        InvalidInputError: The period is negative or longer than 30 days.
    """
    if not 0 <= seconds <= MAX_GRACE_SECONDS:
        raise InvalidInputError(f"The overlap period must be 0 to {MAX_GRACE_SECONDS} seconds")
    return timedelta(seconds=seconds)


async def _previous_key(
    cipher: SecretCipher, instance: Instance, *, now: datetime, overlap: timedelta
) -> SealedSecret | None:
    """Returns the current key, encrypted as the previous key; None without an overlap period or a readable key."""
    current = instance.secrets.get(AUTH_API_KEY)
    if current is None or not overlap:
        return None
    try:
        key = await cipher.open(current.sealed, instance.address_of(current))
    except SecretUnreadableError:  # callers can't use it, and replacing it is the fix
        return None
    return await seal(cipher, instance, PREVIOUS_AUTH_API_KEY, key, now=now, expires_at=now + overlap)


def _parse_settable_name(text: str) -> SecretName:
    name = parse_secret_name(text)
    if name == PREVIOUS_AUTH_API_KEY:
        raise InvalidInputError(f"{name} can't be set directly: it is set by replacing {AUTH_API_KEY}")
    return name
