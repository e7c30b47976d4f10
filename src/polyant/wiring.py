"""Registers adapters and shared instances with the container according to the settings; imports them on first use."""

import inspect
import os
import platform
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, NewType

import msgspec

from polyant.adapter_groups import (
    CHANNEL,
    CHAT_MODEL,
    CONVERSATION_GROUPS,
    GROUPS,
    RATE_LIMITER,
    SINGLE_GROUPS,
    SUPERVISOR,
    TOOL,
    TURN_OBSERVER,
    chosen_adapters,
    essential_groups,
    tool_names_of,
)
from polyant.adapters.cache.fresh_instance_repo import FreshInstanceRepo
from polyant.adapters.cache.instance_repo import CachedInstanceRepo
from polyant.adapters.fail_open.rate_limiter import FailOpenRateLimiter
from polyant.adapters.media_deletion.conversation_maintenance import MediaDeletingConversationMaintenance
from polyant.adapters.media_deletion.conversation_repo import MediaDeletingConversationRepo
from polyant.adapters.system.clock import SystemClock
from polyant.adapters.system.date_time_formatter import SystemDateTimeFormatter
from polyant.adapters.system.token_source import SystemTokenSource
from polyant.container import Container, LazyType, Recipe
from polyant.domain.adapter_health import AdapterHealth, CheckedAdapter
from polyant.domain.adapter_options import AdapterOptions, declared_options
from polyant.domain.catalog import Catalog
from polyant.domain.channel_accounts import ChannelAccounts
from polyant.domain.channel_metrics import ChannelMetrics
from polyant.domain.channel_registry import ChannelRegistry
from polyant.domain.conversation_removal import ConversationRemoval
from polyant.domain.conversation_retention import ConversationRetention
from polyant.domain.conversation_turn import ConversationTurns
from polyant.domain.errors import InvalidInputError
from polyant.domain.failed_credentials import FailedCredentialLimit
from polyant.domain.injectables import (
    ConversationDays,
    Environ,
    HttpToolHosts,
    LeaseSeconds,
    MasterKeyring,
    OutboundOrigins,
    ProcessName,
    PublicUrl,
    ScriptFile,
    ToolNames,
    TurnLogDays,
)
from polyant.domain.lane_leases import LaneLeases
from polyant.domain.limits import ProviderTimeouts, TurnBudget
from polyant.domain.login_limits import LoginLimits
from polyant.domain.lookup_hashes import LookupHashes
from polyant.domain.media.attachments import Attachments
from polyant.domain.media.conversation_media import ConversationMedia
from polyant.domain.media.image_intake import ImageIntake
from polyant.domain.media.sizes import MediaBytes, MediaMemory
from polyant.domain.media.stored import MediaFolder
from polyant.domain.media.supervisor import MediaSupervisor
from polyant.domain.media.transcription import TranscriptionService
from polyant.domain.new_conversations import NewConversations
from polyant.domain.open_conversation import ConversationKeys
from polyant.domain.outbound import OutboundPolicy
from polyant.domain.pairing import PairingCodes
from polyant.domain.password_queue import PasswordQueue
from polyant.domain.ports.backup_cipher import BackupCipher
from polyant.domain.ports.chat_model import ChatModel, ProviderInfo
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.data_cipher import DataCipher
from polyant.domain.ports.date_time_formatter import DateTimeFormatter
from polyant.domain.ports.rate_limiter import RateLimiter
from polyant.domain.ports.secret_cipher import SecretCipher
from polyant.domain.ports.supervisor import Supervisor
from polyant.domain.ports.token_source import TokenSource
from polyant.domain.ports.tool import Tool
from polyant.domain.ports.turn_observer import TurnObserver
from polyant.domain.provider_keys import ProviderKeys
from polyant.domain.proxies import ProxyRules
from polyant.domain.rate_limits import CallerLimits, RateLimits
from polyant.domain.running_turns import RunningTurns
from polyant.domain.secrets import API_KEY_RULE, SecretName, SecretText, parse_secret_value
from polyant.domain.skill_reading import SkillReader
from polyant.domain.system_prompt import SystemPromptComposer
from polyant.domain.tool_access import ToolAccess
from polyant.domain.toolbox import Toolbox
from polyant.domain.turn_content import ContentRecording
from polyant.domain.turn_observation import TurnObservation
from polyant.domain.turn_recording import TurnRecording
from polyant.domain.turn_tracing import TurnTracing
from polyant.home import database_url_of, require_given_secrets
from polyant.master_keys import MasterKeys
from polyant.plugins import AdapterError, AdapterRecipe, AdaptersRecipe, Group, adapter_type, load
from polyant.settings import RateLimitFail, Settings, SettingsError

if TYPE_CHECKING:  # imported on first use: not every command needs them
    from polyant.adapters.memory.store import MemoryStore
    from polyant.adapters.piccolo.database import PiccoloDatabase
    from polyant.adapters.tool_loop.supervisor import ToolLoopSupervisor

OperatorKeys = NewType("OperatorKeys", Mapping[str, SecretText])
"""The provider keys of the environment, by provider; validated before the cipher creates a master key."""

_GROUPS = {group.name: group for group in GROUPS}

USE_CASES = "polyant.domain.use_cases"

DATABASE: "LazyType[PiccoloDatabase]" = LazyType("polyant.adapters.piccolo.database", "PiccoloDatabase")
MEMORY: "LazyType[MemoryStore]" = LazyType("polyant.adapters.memory.store", "MemoryStore")
TOOL_LOOP: "LazyType[ToolLoopSupervisor]" = LazyType("polyant.adapters.tool_loop.supervisor", "ToolLoopSupervisor")
HTTP_SESSION = LazyType[object]("aiohttp.client", "ClientSession")
PUBLIC_HTTP = LazyType[object]("polyant.adapters.llm.public_http", "PublicHttp")


@asynccontextmanager
async def open_container(
    settings: Settings, environ: Mapping[str, str], *, create: bool, overrides: Mapping[Any, Any] | None = None
) -> AsyncIterator[Container]:
    """Yields a container with all adapters and shared instances registered.

    Args:
        settings: The settings that select and configure the adapters.
        environ: The environment, for adapters that read settings of their own.
        create: Whether to create missing files in POLYANT_HOME.
        overrides: The types to inject into use cases in place of annotated ones.

    Raises:
        SettingsError: A required secret isn't set.
    """
    require_given_secrets(settings)
    async with Container(autowired=USE_CASES, overrides=overrides) as container:
        _register_adapters(container, settings, environ)
        _register_values(container, settings, environ)
        _register_shared(container, settings, create=create)
        yield container


def _register_adapters(container: Container, settings: Settings, environ: Mapping[str, str]) -> None:
    for group in SINGLE_GROUPS:
        container.register(group.port, AdapterRecipe(group, getattr(settings, group.setting), environ))
    if settings.rate_limit_fail is RateLimitFail.OPEN:
        chosen = adapter_type(RATE_LIMITER, settings.rate_limiter)
        container.register(chosen, AdapterRecipe(RATE_LIMITER, settings.rate_limiter, environ), listed=False)
        container.register(RateLimiter, Recipe(FailOpenRateLimiter, overrides={RateLimiter: chosen}))
    _register_media_deletion(container, settings, environ)
    container.register(TOOL_LOOP, AdapterRecipe(SUPERVISOR, "tool_loop", environ))
    container.register(Mapping[str, ChatModel], _named_adapters(container, CHAT_MODEL, settings.chat_models, environ))
    container.register(Mapping[str, Tool], _named_adapters(container, TOOL, tool_names_of(settings), environ))
    _register_channels(container, settings.channels, environ)
    observers = _named_adapters(container, TURN_OBSERVER, settings.turn_observer_names, environ)
    container.register(Mapping[str, TurnObserver], observers, listed=False)


def _register_channels(container: Container, names: tuple[str, ...], environ: Mapping[str, str]) -> None:
    """Registers the channels so that each is imported when it is first needed."""
    for name in names:
        container.register(adapter_type(CHANNEL, name), AdapterRecipe(CHANNEL, name, environ), listed=False)
    registry = ChannelRegistry(names=names, load=lambda name: container.get(adapter_type(CHANNEL, name)))
    container.register(ChannelRegistry, lambda: registry)


def _named_adapters(
    container: Container, group: Group[Any], names: Iterable[str], environ: Mapping[str, str]
) -> AdaptersRecipe:
    for name in names:
        container.register(adapter_type(group, name), AdapterRecipe(group, name, environ), listed=False)
    return AdaptersRecipe(group, names)


def _register_media_deletion(container: Container, settings: Settings, environ: Mapping[str, str]) -> None:
    """Wraps the chosen conversation store, so that media are deleted together with their messages."""
    wrappers: Mapping[str, type] = {
        "conversation_repo": MediaDeletingConversationRepo,
        "conversation_maintenance": MediaDeletingConversationMaintenance,
    }
    for group in CONVERSATION_GROUPS:
        if group.name in wrappers:
            chosen = adapter_type(group, settings.conversation_store)
            container.register(chosen, AdapterRecipe(group, settings.conversation_store, environ), listed=False)
            container.register(group.port, Recipe(wrappers[group.name], overrides={group.port: chosen}))


def _register_values(container: Container, settings: Settings, environ: Mapping[str, str]) -> None:
    container.register_value(Environ, Environ(environ))
    container.register_value(HttpToolHosts, HttpToolHosts(settings.http_tool_hosts))
    container.register_value(OutboundOrigins, OutboundOrigins(settings.outbound_origins))
    container.register_value(MediaFolder, MediaFolder(settings.media_folder or settings.home / "media"))
    container.register_value(
        TranscriptionService,
        TranscriptionService(
            url=settings.transcriber_url, model=settings.transcriber_model, key=settings.transcriber_api_key
        ),
    )
    container.register_value(MediaBytes, MediaBytes(settings.media_bytes))
    container.register(PublicUrl, lambda: PublicUrl(settings.public_url or ""), listed=False)
    limits = RateLimits(
        address=settings.rate_limit,
        channel_user=settings.channel_user_rate_limit,
        channel_instance=settings.channel_instance_rate_limit,
    )
    container.register_value(RateLimits, limits)
    container.register_value(ToolNames, ToolNames(tool_names_of(settings)))
    container.register_value(TurnLogDays, TurnLogDays(settings.turn_log_days))
    container.register(ConversationDays, lambda: ConversationDays(settings.conversation_days), listed=False)
    container.register(LeaseSeconds, lambda: LeaseSeconds(settings.lease_seconds), listed=False)
    container.register(ProcessName, lambda: ProcessName(f"{platform.node()}/{os.getpid()}"), listed=False)
    container.register_value(
        ProviderTimeouts,
        ProviderTimeouts(
            connect=settings.connect_seconds, first_token=settings.first_token_seconds, idle=settings.idle_seconds
        ),
    )
    container.register_value(
        ProxyRules,
        ProxyRules(http=settings.http_proxy, https=settings.https_proxy, direct_hosts=settings.no_proxy),
    )
    container.register(ScriptFile, lambda: settings.script)


def _register_shared(container: Container, settings: Settings, *, create: bool) -> None:
    container.register(Clock, SystemClock)
    container.register(
        DateTimeFormatter, lambda: SystemDateTimeFormatter(timezone=settings.timezone, locale=settings.locale)
    )
    container.register(SystemPromptComposer, SystemPromptComposer)
    container.register(ToolAccess, ToolAccess)
    container.register(Toolbox, Toolbox)
    container.register(SkillReader, SkillReader, listed=False)
    container.register(TokenSource, SystemTokenSource)
    container.register(MasterKeyring, lambda: MasterKeys(settings, create=create))
    container.register(Mapping[str, ProviderInfo], _providers)
    container.register(OperatorKeys, _operator_keys, listed=False)
    container.register(OutboundPolicy, OutboundPolicy)
    container.register(ProviderKeys, partial(_provider_keys, settings))
    container.register(DATABASE, partial(_database, settings))
    container.register(MEMORY, _memory)
    container.register(HTTP_SESSION, _http_session)
    container.register(ChannelAccounts, ChannelAccounts, listed=False)
    if settings.metrics_token is not None:
        container.register(ChannelMetrics, _channel_metrics, listed=False)
    container.register(PairingCodes, PairingCodes, listed=False)
    container.register(CallerLimits, CallerLimits, listed=False)
    container.register(FailedCredentialLimit, FailedCredentialLimit, listed=False)
    container.register(BackupCipher, _backup_cipher, listed=False)
    container.register(DataCipher, _data_cipher, listed=False)
    container.register(PUBLIC_HTTP, _public_http)
    container.register(LoginLimits, LoginLimits, listed=False)
    container.register(PasswordQueue, PasswordQueue, listed=False)
    container.register(Catalog, Catalog, listed=False)
    container.register(AdapterOptions, partial(_adapter_options, settings), listed=False)
    container.register(TurnBudget, lambda: TurnBudget(turn_seconds=settings.turn_seconds), listed=False)
    container.register(RunningTurns, lambda: RunningTurns(max_turns=settings.max_concurrent_turns), listed=False)
    container.register(AdapterHealth, partial(_adapter_health, container, settings), listed=False)
    container.register(TurnObservation, TurnObservation, listed=False)
    container.register(TurnTracing, TurnTracing, listed=False)
    container.register(ContentRecording, ContentRecording, listed=False)
    container.register(TurnRecording, TurnRecording, listed=False)
    container.register(MediaMemory, MediaMemory, listed=False)
    container.register(Attachments, Attachments, listed=False)
    container.register(ImageIntake, ImageIntake, listed=False)
    container.register(ConversationMedia, ConversationMedia, listed=False)
    container.register(MediaSupervisor, MediaSupervisor, listed=False)
    container.register(LookupHashes, LookupHashes, listed=False)
    container.register(LaneLeases, LaneLeases, listed=False)
    container.register(ConversationKeys, ConversationKeys, listed=False)
    container.register(NewConversations, NewConversations, listed=False)
    container.register(ConversationTurns, ConversationTurns, listed=False)
    container.register(ConversationRemoval, ConversationRemoval, listed=False)
    container.register(ConversationRetention, ConversationRetention, listed=False)
    container.register(CachedInstanceRepo, CachedInstanceRepo, listed=False)
    container.register(FreshInstanceRepo, FreshInstanceRepo, listed=False)


async def _adapter_health(container: Container, settings: Settings, *, clock: Clock) -> AdapterHealth:
    """Returns the health of the chosen adapters; only those that can have the method are built for it.

    Channels have none: each is imported when an instance uses it, and the outage of a platform isn't the server's.
    """
    essential, adapters = essential_groups(settings), []
    for group, name in sorted(each for each in chosen_adapters(settings) if each[0] != CHANNEL.name):
        made = load(_GROUPS[group], name)
        if not inspect.isclass(made) or hasattr(made, "health"):
            adapter = await container.get(_type_of(_GROUPS[group], name, settings))
            adapters.append(CheckedAdapter(group=group, name=name, adapter=adapter, essential=group in essential))
    return AdapterHealth(adapters=adapters, clock=clock)


def _type_of(group: Group[Any], name: str, settings: Settings) -> Any:
    """Returns the type under which the container registers a chosen adapter itself, without a wrapper."""
    is_wrapped = group is RATE_LIMITER and settings.rate_limit_fail is RateLimitFail.OPEN
    return group.port if group in SINGLE_GROUPS and not is_wrapped else adapter_type(group, name)


def _providers(models: Mapping[str, ChatModel]) -> Mapping[str, ProviderInfo]:
    return {name: model.info for name, model in models.items()}


def _operator_keys(environ: Environ, providers: Mapping[str, ProviderInfo]) -> OperatorKeys:
    return OperatorKeys({info.name: key for info in providers.values() if (key := _operator_key(info, environ))})


def _provider_keys(settings: Settings, *, operator_keys: OperatorKeys, cipher: SecretCipher) -> ProviderKeys:
    return ProviderKeys(cipher, operator_keys=operator_keys, trusted_origins=settings.provider_hosts)


def _operator_key(info: ProviderInfo, environ: Mapping[str, str]) -> SecretText | None:
    text = environ.get(info.environment_variable or "", "").strip()
    if not text:
        return None
    try:
        return parse_secret_value(SecretName("provider_key"), text)
    except InvalidInputError:
        raise SettingsError(f"{info.environment_variable} must be {API_KEY_RULE}") from None


def _adapter_options(
    settings: Settings, *, models: Mapping[str, ChatModel], tools: Mapping[str, Tool], supervisor: Supervisor
) -> AdapterOptions:
    declared: dict[str, type[msgspec.Struct] | None] = {}
    adapters: list[tuple[str, object]] = [*models.items(), *tools.items(), (settings.supervisor, supervisor)]
    for name, adapter in adapters:
        try:
            kind = declared_options(adapter)
        except TypeError as error:
            raise AdapterError(f"The adapter '{name}' can't be used: {error}") from None
        if kind is not None and declared.get(name) is not None:
            raise AdapterError(f"Two adapters with the name '{name}' have options: enable only one of them")
        declared[name] = kind or declared.get(name)
    return AdapterOptions(declared)


def _database(settings: Settings) -> "PiccoloDatabase":
    from polyant.adapters.piccolo.database import PiccoloDatabase  # noqa: PLC0415 - not every configuration uses a database

    try:
        return PiccoloDatabase(database_url_of(settings).reveal(), max_connections=settings.database_pool_size)
    except InvalidInputError as error:
        raise SettingsError(f"DATABASE_URL: {error}") from None


def _memory() -> "MemoryStore":
    from polyant.adapters.memory.store import MemoryStore  # noqa: PLC0415 - not every configuration uses memory adapters

    return MemoryStore()


def _backup_cipher() -> BackupCipher:
    from polyant.adapters.crypto.backup_cipher import AesGcmBackupCipher  # noqa: PLC0415 - only two commands need it

    return AesGcmBackupCipher()


def _data_cipher(cipher: SecretCipher) -> DataCipher:
    from polyant.adapters.crypto.data_cipher import AesGcmDataCipher  # noqa: PLC0415 - only conversations need it

    return AesGcmDataCipher(cipher=cipher)


def _channel_metrics() -> ChannelMetrics:
    from polyant.adapters.prometheus.channel_metrics import PrometheusChannelMetrics  # noqa: PLC0415 - needed only if metrics are on

    return PrometheusChannelMetrics()


def _http_session() -> object:
    from polyant.adapters.llm.session import open_session  # noqa: PLC0415 - only some commands call providers

    return open_session()


def _public_http() -> object:
    from polyant.adapters.llm.public_http import PublicHttp  # noqa: PLC0415 - only some commands call providers

    return PublicHttp()
