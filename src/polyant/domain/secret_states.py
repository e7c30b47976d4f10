"""The state of an instance's secrets: configured or missing."""

from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec

from polyant.domain.instances import Instance
from polyant.domain.ports.chat_model import ProviderInfo
from polyant.domain.ports.tool import Tool
from polyant.domain.secrets import AUTH_API_KEY, SecretName


class SecretState(msgspec.Struct, frozen=True, kw_only=True):
    """The public facts about a secret."""

    name: SecretName
    configured: bool
    updated_at: datetime | None = None
    origin: str | None = None
    """The only origin that the secret is sent to; None if it isn't bound to one."""
    expires_at: datetime | None = None


def secret_states(
    instance: Instance, providers: Mapping[str, ProviderInfo], tools: Mapping[str, Tool]
) -> tuple[SecretState, ...]:
    """Returns the state of the stored secrets and of those that the instance could use, ordered by name."""
    names = {*instance.secrets, *_usable(instance, providers, tools)}
    return tuple(_state_of(instance, name) for name in sorted(names))


def missing_secrets(
    instance: Instance, providers: Mapping[str, ProviderInfo], tools: Mapping[str, Tool]
) -> tuple[SecretName, ...]:
    """Returns the sorted names of the secrets that the instance could use and is missing."""
    return tuple(state.name for state in secret_states(instance, providers, tools) if not state.configured)


def _usable(
    instance: Instance, providers: Mapping[str, ProviderInfo], tools: Mapping[str, Tool]
) -> Iterable[SecretName]:
    yield AUTH_API_KEY
    provider = providers.get(instance.provider)
    if provider is not None and provider.secret is not None:
        yield provider.secret
    for name in instance.tools:
        if name in tools:
            yield from tools[name].secrets
    for server in instance.mcp_servers:
        yield from server.headers.values()


def _state_of(instance: Instance, name: SecretName) -> SecretState:
    stored = instance.secrets.get(name)
    if stored is None:
        return SecretState(name=name, configured=False)
    return SecretState(
        name=name,
        configured=True,
        updated_at=stored.updated_at,
        origin=stored.origin,
        expires_at=stored.expires_at,
    )
