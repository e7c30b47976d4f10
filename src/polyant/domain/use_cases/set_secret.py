"""Use case: store a secret of an instance."""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from polyant.domain.instances import Instance, Slug
from polyant.domain.ports.chat_model import ProviderInfo
from polyant.domain.ports.secret_cipher import SecretCipher
from polyant.domain.provider_keys import secret_origin
from polyant.domain.secrets import (
    AUTH_API_KEY,
    SealedSecret,
    SecretAddress,
    SecretName,
    SecretText,
    parse_secret_name,
    parse_secret_value,
)
from polyant.domain.use_cases.edit_instance import EditInstance


class SetSecret:
    """Seals a value and stores it; a provider's key is bound to the address it is for now."""

    def __init__(self, *, edit: EditInstance, cipher: SecretCipher, providers: Mapping[str, ProviderInfo]) -> None:
        self._edit = edit
        self._cipher = cipher
        self._providers = providers

    async def __call__(self, slug: Slug, name: str, value: str) -> SealedSecret:
        """Returns the secret as stored.

        Raises:
            UnknownInstanceError: There is no instance with that slug.
            InvalidInputError: The name or the value breaks its rule.
        """
        secret_name = parse_secret_name(name)
        secret = parse_secret_value(secret_name, value)

        def store(instance: Instance, now: datetime) -> Instance:
            origin = secret_origin(instance, secret_name, self._providers)
            sealed = seal(self._cipher, instance, secret_name, secret, now=now, origin=origin)
            return with_secret(instance, sealed)

        return (await self._edit(slug, store)).secrets[secret_name]


def seal(
    cipher: SecretCipher,
    instance: Instance,
    name: SecretName,
    secret: SecretText,
    *,
    now: datetime,
    origin: str | None = None,
) -> SealedSecret:
    """Returns the secret sealed for the instance, with a fingerprint if callers are identified by it."""
    address = SecretAddress(instance_id=instance.id, name=name, origin=origin)
    return SealedSecret(
        name=name,
        sealed=cipher.seal(secret, address),
        updated_at=now,
        fingerprint=cipher.fingerprints(secret)[0] if name == AUTH_API_KEY else None,
        origin=origin,
    )


def with_secret(instance: Instance, sealed: SealedSecret) -> Instance:
    """Returns the instance with the sealed secret in place of an earlier one of that name."""
    return msgspec.structs.replace(instance, secrets={**instance.secrets, sealed.name: sealed})
