"""Provider keys: a key is only ever sent to the origins that it is meant for."""

from collections.abc import Mapping

from polyant.domain.errors import UnavailableError
from polyant.domain.instances import Instance
from polyant.domain.ports.chat_model import ProviderInfo
from polyant.domain.ports.secret_cipher import SecretCipher
from polyant.domain.secrets import SecretName, SecretText
from polyant.domain.urls import hostname, origin_of


class ProviderKeys:
    """Finds the API key for one call of a provider.

    An instance's own key is bound by encryption to the origin it was entered for, and is sent only there. The
    operator's keys are sent to the provider's own origin and to the trusted origins.

    Args:
        cipher: Decrypts the instance's key.
        operator_keys: The operator's keys, by provider name.
        trusted_origins: The origins that may receive the operator's keys, in addition to the provider's own.
    """

    def __init__(
        self, cipher: SecretCipher, *, operator_keys: Mapping[str, SecretText], trusted_origins: frozenset[str]
    ) -> None:
        self._cipher = cipher
        self._operator_keys = operator_keys
        self._trusted_origins = trusted_origins

    def server_has_key(self, provider: ProviderInfo) -> bool:
        """Returns whether the operator has a key for the provider's own address."""
        return provider.name in self._operator_keys

    def withheld_key_fix(self, instance: Instance, provider: ProviderInfo) -> str | None:
        """Returns the fix if the operator's key isn't sent to a host that is trusted with another scheme or port.

        None means that there is no such problem.
        """
        origin = origin_of(base_url_of(instance, provider))
        trusted = {origin_of(provider.base_url), *self._trusted_origins}
        if (
            provider.secret in {None, *instance.secrets}
            or provider.name not in self._operator_keys
            or origin in trusted
        ):
            return None
        listed = next((each for each in sorted(self._trusted_origins) if hostname(each) == hostname(origin)), None)
        return None if listed is None else f"PROVIDER_HOSTS lists {listed}. To send the key, list {origin}"

    async def key_for(self, instance: Instance, provider: ProviderInfo) -> SecretText | None:
        """Returns the key for calling the instance's provider, or None if no key is needed.

        Raises:
            UnavailableError: A key is needed, and there is none for this address. The hint describes how to set it.
            SecretUnreadableError: The stored key can't be decrypted.
        """
        if provider.secret is None:
            return None
        origin = origin_of(base_url_of(instance, provider))
        stored = instance.secrets.get(provider.secret)
        if stored is not None:
            moved = moved_key(instance, {provider.name: provider})
            if moved is not None:
                raise UnavailableError(f"The API key for the provider {provider.name} can't be used", hint=moved)
            return await self._cipher.open(stored.sealed, instance.address_of(stored))
        is_providers_own = origin == origin_of(provider.base_url)
        if is_providers_own or origin in self._trusted_origins:
            key = self._operator_keys.get(provider.name)
            if key is not None:
                return key
        if is_providers_own:
            raise UnavailableError(
                f"No API key for the provider {provider.name}", hint=_how_to_set_key(instance, provider)
            )
        return None


def base_url_of(instance: Instance, provider: ProviderInfo) -> str:
    """Returns the base URL of the instance's provider, without a trailing slash."""
    return (instance.base_url or provider.base_url).rstrip("/")


def address_of(instance: Instance, providers: Mapping[str, ProviderInfo]) -> str | None:
    """Returns the address that the instance's model calls go to; None if only its unknown provider has one."""
    info = providers.get(instance.provider)
    return instance.base_url if info is None else base_url_of(instance, info)


def secret_origin(instance: Instance, name: SecretName, providers: Mapping[str, ProviderInfo]) -> str | None:
    """Returns the origin that a secret of the instance is bound to when it is set now, or None if it isn't bound."""
    own = providers.get(instance.provider)
    if own is not None and own.secret == name:
        return origin_of(base_url_of(instance, own))
    for server in instance.mcp_servers:
        if name in server.headers.values():
            return server.origin
    return next((origin_of(info.base_url) for info in providers.values() if info.secret == name), None)


def moved_key(instance: Instance, providers: Mapping[str, ProviderInfo]) -> str | None:
    """Returns the fix for a provider key that was entered for another address, or None if there is no problem."""
    info = providers.get(instance.provider)
    stored = instance.secrets.get(info.secret) if info is not None and info.secret is not None else None
    if info is None or stored is None or stored.origin == origin_of(base_url_of(instance, info)):
        return None
    return (
        f"The secret {stored.name} of instance '{instance.slug}' was entered for an address other than its base URL: "
        f"enter it again (polyant secrets set {instance.slug} {stored.name}) or delete it"
    )


def _how_to_set_key(instance: Instance, provider: ProviderInfo) -> str:
    server = f" or {provider.environment_variable} in the server's environment" if provider.environment_variable else ""
    secret = provider.secret
    return f"Set the instance's secret {secret} (polyant secrets set {instance.slug} {secret}){server}"
