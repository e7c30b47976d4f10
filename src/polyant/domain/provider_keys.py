"""Which key goes to which address: a provider key is never sent anywhere but where it belongs."""

from collections.abc import Mapping

from polyant.domain.errors import UnavailableError
from polyant.domain.instances import Instance
from polyant.domain.ports.chat_model import ProviderInfo
from polyant.domain.ports.secret_cipher import SecretCipher
from polyant.domain.secrets import SecretName, SecretText
from polyant.domain.urls import origin_of


class ProviderKeys:
    """Finds the key for one call of a provider.

    An instance's own key is sealed together with the origin it was entered for and goes nowhere else. The operator's
    keys go to the vendor's own origin and to the origins the operator lists.
    """

    def __init__(
        self, cipher: SecretCipher, *, operator_keys: Mapping[str, SecretText], trusted_origins: frozenset[str]
    ) -> None:
        """Takes the operator's keys by provider name and the origins beside the vendors' own that may get them."""
        self._cipher = cipher
        self._operator_keys = operator_keys
        self._trusted_origins = trusted_origins

    async def key_for(self, instance: Instance, provider: ProviderInfo) -> SecretText | None:
        """Returns the key to call the instance's provider with, None where none is needed.

        Raises:
            UnavailableError: A key is needed and there is none for this address; the hint says how to set it.
            SecretUnreadableError: The stored key doesn't open.
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
        vendors_own = origin == origin_of(provider.base_url)
        if vendors_own or origin in self._trusted_origins:
            key = self._operator_keys.get(provider.name)
            if key is not None:
                return key
        if vendors_own:
            raise UnavailableError(
                f"No API key for the provider {provider.name}", hint=_how_to_set_key(instance, provider)
            )
        return None


def base_url_of(instance: Instance, provider: ProviderInfo) -> str:
    """Returns where the instance's provider is reached, without a trailing slash."""
    return (instance.base_url or provider.base_url).rstrip("/")


def secret_origin(instance: Instance, name: SecretName, providers: Mapping[str, ProviderInfo]) -> str | None:
    """Returns the origin that the instance's secret is bound to if it is entered now, None for one bound to none."""
    own = providers.get(instance.provider)
    if own is not None and own.secret == name:
        return origin_of(base_url_of(instance, own))
    for server in instance.mcp_servers:
        if name in server.headers.values():
            return server.origin
    return next((origin_of(info.base_url) for info in providers.values() if info.secret == name), None)


def moved_key(instance: Instance, providers: Mapping[str, ProviderInfo]) -> str | None:
    """Returns what is to be done about a provider key that was entered for another address, None if all is well."""
    info = providers.get(instance.provider)
    stored = instance.secrets.get(info.secret) if info is not None and info.secret is not None else None
    if info is None or stored is None or stored.origin == origin_of(base_url_of(instance, info)):
        return None
    return (
        f"The secret {stored.name} of instance '{instance.slug}' was entered for another address than its base URL: "
        f"enter it again (polyant secrets set {instance.slug} {stored.name}) or delete it"
    )


def _how_to_set_key(instance: Instance, provider: ProviderInfo) -> str:
    server = f" or {provider.environment_variable} in the server's environment" if provider.environment_variable else ""
    secret = provider.secret
    return f"Set the instance's secret {secret} (polyant secrets set {instance.slug} {secret}){server}"
