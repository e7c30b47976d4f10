"""Problems of instances that an operator can fix, such as a missing key."""

import enum
from collections.abc import Mapping
from datetime import datetime

import msgspec

from polyant.domain.channels import ChannelName
from polyant.domain.errors import SecretUnreadableError, UnavailableError
from polyant.domain.instances import Instance, Slug
from polyant.domain.ports.chat_model import ProviderInfo
from polyant.domain.ports.tool import Tool
from polyant.domain.provider_keys import ProviderKeys, moved_key
from polyant.domain.secrets import CALLER_KEYS, SecretName


class AttentionKind(enum.StrEnum):
    """The kinds of problems, the gravest first."""

    UNKNOWN_PROVIDER = "unknown_provider"
    """The provider isn't enabled on this server."""
    NO_PROVIDER_KEY = "no_provider_key"
    """Neither the instance nor the server has a key for the provider."""
    MOVED_PROVIDER_KEY = "moved_provider_key"
    """The provider's key was entered for another address."""
    UNREADABLE_SECRET = "unreadable_secret"  # noqa: S105 - the name of a problem
    """A secret can't be decrypted with the current master keys."""
    CHANNEL_UNUSABLE = "channel_unusable"
    """A connected channel isn't enabled, its adapter can't be loaded, or a credential is missing or unreadable."""
    CREDENTIALS_REFUSED = "credentials_refused"
    """The platform refuses a channel's credentials."""
    WEBHOOK_REFUSED = "webhook_refused"
    """Requests to a channel's webhook are refused."""
    POLLED_ELSEWHERE = "polled_elsewhere"
    """Another program polls a channel's account."""
    CHANNEL_PAUSED = "channel_paused"
    """A channel was restored from a backup and isn't connected again."""
    CHANNEL_DISCONNECTED = "channel_disconnected"
    """A channel was imported and isn't connected yet."""
    CHANNEL_UNREACHABLE = "channel_unreachable"
    """A channel's platform doesn't respond."""
    DEAD_LETTERS = "dead_letters"
    """Messages of a channel couldn't be answered and wait for a replay."""
    NO_CALLER_KEY = "no_caller_key"
    """Callers need a key, and there is none."""
    MISSING_SECRET = "missing_secret"  # noqa: S105 - the name of a problem
    """A tool or an MCP server needs a secret that isn't set."""
    OPEN = "open"
    """Callers need no key."""


class Attention(msgspec.Struct, frozen=True, kw_only=True):
    """The gravest problem of an instance, or of one of its channels."""

    slug: Slug
    name: str
    kind: AttentionKind
    secret: SecretName | None = None
    """The secret to enter; None if the fix is another one."""
    channel: ChannelName | None = None
    """The channel; None if the problem isn't one of a channel."""
    since: datetime | None = None
    """The beginning; None if it is unknown."""
    reason: str | None = None
    """The latest failure; None if the kind says everything."""


async def attention_for(
    instance: Instance,
    *,
    providers: Mapping[str, ProviderInfo],
    tools: Mapping[str, Tool],
    provider_keys: ProviderKeys,
) -> Attention | None:
    """Returns the gravest problem of an active instance, or None if there is none; disabled instances have none."""
    if not instance.is_active:
        return None
    found = await _provider_problem(instance, providers, provider_keys)
    if found is None and instance.auth_enabled and not instance.has_auth_key:
        found = AttentionKind.NO_CALLER_KEY, None
    if found is None:
        missing = next((name for name in _needed(instance, tools) if name not in instance.secrets), None)
        found = None if missing is None else (AttentionKind.MISSING_SECRET, missing)
    if found is None and not instance.auth_enabled:
        found = AttentionKind.OPEN, None
    return None if found is None else Attention(slug=instance.slug, name=instance.name, kind=found[0], secret=found[1])


async def _provider_problem(
    instance: Instance, providers: Mapping[str, ProviderInfo], provider_keys: ProviderKeys
) -> tuple[AttentionKind, SecretName | None] | None:
    info = providers.get(instance.provider)
    if info is None:
        return AttentionKind.UNKNOWN_PROVIDER, None
    if moved_key(instance, providers) is not None:
        return AttentionKind.MOVED_PROVIDER_KEY, info.secret
    try:
        await provider_keys.key_for(instance, info)
    except SecretUnreadableError:
        return AttentionKind.UNREADABLE_SECRET, info.secret
    except UnavailableError:
        return AttentionKind.NO_PROVIDER_KEY, info.secret
    return None


def _needed(instance: Instance, tools: Mapping[str, Tool]) -> list[SecretName]:
    """Returns the names of the secrets that the instance's tools and MCP servers need."""
    of_tools = [secret for name in instance.tools if name in tools for secret in tools[name].secrets]
    of_servers = [secret for server in instance.mcp_servers for secret in server.headers.values()]
    return [name for name in (*of_tools, *of_servers) if name not in CALLER_KEYS]
