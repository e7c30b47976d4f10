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
    """Seals a value and stores it; a provider's key is bound to the address it is for now.

    A new key for callers replaces the earlier one as in `IssueKey`, but leaves auth as it is.
    """

    def __init__(self, *, edit: EditInstance, cipher: SecretCipher, providers: Mapping[str, ProviderInfo]) -> None:
        self._edit = edit
        self._cipher = cipher
        self._providers = providers

    async def __call__(self, slug: Slug, name: str, value: str, *, by: Actor, grace_seconds: int = 0) -> SealedSecret:
        """Returns the secret as stored.

        Raises:
            UnknownInstanceError: There is no instance with that slug.
            InvalidInputError: The name, the value or the grace breaks its rule, or there is a grace for another secret
                than the key of the instance's callers.
        """
        grace = check_grace(grace_seconds)
        if grace and name != AUTH_API_KEY:
            raise InvalidInputError(f"Only {AUTH_API_KEY} is replaced with a grace")
        return (await self._store(slug, {name: value}, by=by, grace=grace)).secrets[SecretName(name)]

    async def set_many(
        self, slug: Slug, values: Mapping[str, str], *, by: Actor, expected_versions: Collection[int] | None = None
    ) -> Instance:
        """Returns the instance with all of the secrets; if one can't be stored, none is.

        Raises:
            UnknownInstanceError: There is no instance with that slug.
            InstanceChangedError: It has none of the expected versions.
            InvalidInputError: A name or a value breaks its rule.
        """
        return await self._store(slug, values, by=by, grace=timedelta(), expected_versions=expected_versions)

    async def _store(
        self,
        slug: Slug,
        values: Mapping[str, str],
        *,
        by: Actor,
        grace: timedelta,
        expected_versions: Collection[int] | None = None,
    ) -> Instance:
        names = {name: _parse_settable_name(name) for name in values}
        secrets = {names[name]: parse_secret_value(names[name], value) for name, value in values.items()}

        async def store(instance: Instance, now: datetime) -> Instance:
            for name, secret in secrets.items():
                instance = await self._with(instance, name, secret, now=now, grace=grace)
            return instance

        change = Change(by, "secret.set", tuple(secrets))
        return await self._edit(slug, store, change, expected_versions=expected_versions)

    async def _with(
        self, instance: Instance, name: SecretName, secret: SecretText, *, now: datetime, grace: timedelta
    ) -> Instance:
        if name == AUTH_API_KEY:
            return await with_auth_key(self._cipher, instance, secret, now=now, grace=grace)
        origin = secret_origin(instance, name, self._providers)
        return with_secret(instance, await seal(self._cipher, instance, name, secret, now=now, origin=origin))


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
    """Returns the secret sealed for the instance, with a fingerprint if callers are identified by it."""
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
    """Returns the instance with the sealed secret in place of an earlier one of that name."""
    return msgspec.structs.replace(instance, secrets={**instance.secrets, sealed.name: sealed})


async def with_auth_key(
    cipher: SecretCipher, instance: Instance, key: SecretText, *, now: datetime, grace: timedelta
) -> Instance:
    """Returns the instance with that key for its callers; the one it replaces counts until the grace is over."""
    kept = {name: secret for name, secret in instance.secrets.items() if name not in CALLER_KEYS}
    previous = await _previous_key(cipher, instance, now=now, grace=grace)
    if previous is not None:
        kept[previous.name] = previous
    cleared = msgspec.structs.replace(instance, secrets=kept)
    return with_secret(cleared, await seal(cipher, instance, AUTH_API_KEY, key, now=now))


def check_grace(seconds: int) -> timedelta:
    """Returns how long a key that is replaced goes on working.

    Raises:
        InvalidInputError: It is negative or longer than 30 days.
    """
    if not 0 <= seconds <= MAX_GRACE_SECONDS:
        raise InvalidInputError(f"The grace must be 0 to {MAX_GRACE_SECONDS} seconds")
    return timedelta(seconds=seconds)


async def _previous_key(
    cipher: SecretCipher, instance: Instance, *, now: datetime, grace: timedelta
) -> SealedSecret | None:
    """Returns the present key as it is stored when it is replaced, None if it stops at once."""
    present = instance.secrets.get(AUTH_API_KEY)
    if present is None or not grace:
        return None
    try:
        key = await cipher.open(present.sealed, instance.address_of(present))
    except SecretUnreadableError:  # it lets nobody in, and replacing it is the way out
        return None
    return await seal(cipher, instance, PREVIOUS_AUTH_API_KEY, key, now=now, expires_at=now + grace)


def _parse_settable_name(text: str) -> SecretName:
    name = parse_secret_name(text)
    if name == PREVIOUS_AUTH_API_KEY:
        raise InvalidInputError(f"{name} is set by replacing {AUTH_API_KEY} alone")
    return name
