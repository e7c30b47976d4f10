"""Problems of instances that an operator can fix, such as a missing key."""

import enum
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import partial

import msgspec

from polyant.domain.adapter_options import AdapterOptions
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
    INVALID_OPTIONS = "invalid_options"
    """The provider or the Supervisor refuses the stored options, so no turn can run."""
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
    INVALID_TOOL_OPTIONS = "invalid_tool_options"
    """A tool refuses the stored options, so its calls fail."""
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
    adapter: str | None = None
    """The adapter that refuses its options; None if the problem is another one."""
    since: datetime | None = None
    """The beginning; None if it is unknown."""
    reason: str | None = None
    """The latest failure, or what is wrong with the options; None if the kind says everything."""


_Problem = Callable[..., Attention]
"""Builds the problem of one instance from its other fields."""


async def attention_for(
    instance: Instance,
    *,
    providers: Mapping[str, ProviderInfo],
    tools: Mapping[str, Tool],
    provider_keys: ProviderKeys,
    options: AdapterOptions,
) -> Attention | None:
    """Returns the gravest problem of an active instance, or None if there is none; disabled instances have none."""
    if not instance.is_active:
        return None
    problem = partial(Attention, slug=instance.slug, name=instance.name)
    used = options.used_by(instance, providers=providers, tools=tools)
    of_turns, of_tools = [name for name in used if name not in tools], [name for name in used if name in tools]
    return (
        await _provider_problem(instance, providers, provider_keys, problem)
        or _options_problem(instance, options, of_turns, problem, kind=AttentionKind.INVALID_OPTIONS)
        or _key_problem(instance, problem)
        or _secret_problem(instance, tools, problem)
        or _options_problem(instance, options, of_tools, problem, kind=AttentionKind.INVALID_TOOL_OPTIONS)
        or (None if instance.auth_enabled else problem(kind=AttentionKind.OPEN))
    )


async def _provider_problem(
    instance: Instance, providers: Mapping[str, ProviderInfo], provider_keys: ProviderKeys, problem: _Problem
) -> Attention | None:
    info = providers.get(instance.provider)
    if info is None:
        return problem(kind=AttentionKind.UNKNOWN_PROVIDER)
    if moved_key(instance, providers) is not None:
        return problem(kind=AttentionKind.MOVED_PROVIDER_KEY, secret=info.secret)
    try:
        await provider_keys.key_for(instance, info)
    except SecretUnreadableError:
        return problem(kind=AttentionKind.UNREADABLE_SECRET, secret=info.secret)
    except UnavailableError:
        return problem(kind=AttentionKind.NO_PROVIDER_KEY, secret=info.secret)
    return None


def _options_problem(
    instance: Instance, options: AdapterOptions, adapters: Iterable[str], problem: _Problem, *, kind: AttentionKind
) -> Attention | None:
    for adapter in adapters:
        reason = options.refusal(adapter, instance.options.get(adapter, {}))
        if reason is not None:
            return problem(kind=kind, adapter=adapter, reason=reason)
    return None


def _key_problem(instance: Instance, problem: _Problem) -> Attention | None:
    has_no_key = instance.auth_enabled and not instance.has_auth_key
    return problem(kind=AttentionKind.NO_CALLER_KEY) if has_no_key else None


def _secret_problem(instance: Instance, tools: Mapping[str, Tool], problem: _Problem) -> Attention | None:
    missing = next((name for name in _needed(instance, tools) if name not in instance.secrets), None)
    return None if missing is None else problem(kind=AttentionKind.MISSING_SECRET, secret=missing)


def _needed(instance: Instance, tools: Mapping[str, Tool]) -> list[SecretName]:
    """Returns the names of the secrets that the instance's tools and MCP servers need."""
    of_tools = [secret for name in instance.tools if name in tools for secret in tools[name].secrets]
    of_servers = [secret for server in instance.mcp_servers for secret in server.headers.values()]
    return [name for name in (*of_tools, *of_servers) if name not in CALLER_KEYS]
