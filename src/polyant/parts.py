"""The parts an engine is made of, each made once, when it is first asked for."""

import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from polyant import plugins
from polyant.adapters.cache.instance_repo import CachedInstanceRepo
from polyant.adapters.fail_open.rate_limiter import FailOpenRateLimiter
from polyant.adapters.system.clock import SystemClock
from polyant.adapters.system.date_time_formatter import SystemDateTimeFormatter
from polyant.adapters.system.token_source import SystemTokenSource
from polyant.domain.adapter_options import AdapterOptions, declared_options
from polyant.domain.errors import InvalidInputError
from polyant.domain.limits import ProviderTimeouts, TurnBudget
from polyant.domain.ports.audit_log import AuditLog
from polyant.domain.ports.chat_model import ChatModel, ProviderInfo
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.date_time_formatter import DateTimeFormatter
from polyant.domain.ports.instance_repo import InstanceRepo
from polyant.domain.ports.key_check import KeyCheck
from polyant.domain.ports.password_hasher import PasswordHasher
from polyant.domain.ports.rate_limiter import RateLimiter
from polyant.domain.ports.secret_cipher import SecretCipher
from polyant.domain.ports.session_repo import SessionRepo
from polyant.domain.ports.supervisor import Supervisor
from polyant.domain.ports.token_source import TokenSource
from polyant.domain.ports.tool import Tool
from polyant.domain.ports.tool_servers import ToolServers
from polyant.domain.ports.turn_log import TurnLog
from polyant.domain.ports.turn_observer import TurnObserver
from polyant.domain.ports.user_repo import UserRepo
from polyant.domain.provider_keys import ProviderKeys
from polyant.domain.secrets import API_KEY_RULE, SecretName, SecretText, parse_secret_value
from polyant.domain.system_prompt import SystemPromptComposer
from polyant.domain.tool_access import ToolAccess
from polyant.home import database_url_of, require_given_secrets
from polyant.master_keys import MasterKeys
from polyant.settings import RateLimitFail, Settings, SettingsError

if TYPE_CHECKING:  # imported when used: none of these is needed by every command
    import aiohttp

    from polyant.adapters.memory.store import MemoryStore
    from polyant.adapters.piccolo.database import PiccoloDatabase

INSTANCE_REPO = plugins.Group("instance_repo", InstanceRepo)
KEY_CHECK = plugins.Group("key_check", KeyCheck)
SECRET_CIPHER = plugins.Group("secret_cipher", SecretCipher)
RATE_LIMITER = plugins.Group("rate_limiter", RateLimiter)
SUPERVISOR = plugins.Group("supervisor", Supervisor)
CHAT_MODEL = plugins.Group("chat_model", ChatModel)
TOOL = plugins.Group("tool", Tool)
TOOL_SERVERS = plugins.Group("tool_servers", ToolServers)
USER_REPO = plugins.Group("user_repo", UserRepo)
SESSION_REPO = plugins.Group("session_repo", SessionRepo)
AUDIT_LOG = plugins.Group("audit_log", AuditLog)
TURN_LOG = plugins.Group("turn_log", TurnLog)
TURN_OBSERVER = plugins.Group("turn_observer", TurnObserver)
PASSWORD_HASHER = plugins.Group("password_hasher", PasswordHasher)

BUILT_IN_TOOLS = ("current_time", "calculate", "http_request", "spawn_task")
"""Tools that instances may have without the operator naming them."""

GROUPS: tuple[plugins.Group[Any], ...] = (
    INSTANCE_REPO,
    KEY_CHECK,
    SECRET_CIPHER,
    RATE_LIMITER,
    SUPERVISOR,
    CHAT_MODEL,
    TOOL,
    TOOL_SERVERS,
    USER_REPO,
    SESSION_REPO,
    AUDIT_LOG,
    TURN_LOG,
    TURN_OBSERVER,
    PASSWORD_HASHER,
)

PartT = TypeVar("PartT")


@asynccontextmanager
async def open_parts(settings: Settings, environ: Mapping[str, str], *, create: bool) -> "AsyncIterator[Parts]":
    """Yields the parts of an engine; with `create`, what is missing in POLYANT_HOME may be made.

    Raises:
        SettingsError: A secret that must be given isn't.
    """
    require_given_secrets(settings)
    async with AsyncExitStack() as stack:
        yield Parts(settings, environ, stack, create_secrets=create)


def tool_names_of(settings: Settings) -> tuple[str, ...]:
    """Returns the names of the tools that instances may have."""
    return tuple(dict.fromkeys((*BUILT_IN_TOOLS, *settings.extra_tools)))


def _once(make: "Callable[[Parts], Awaitable[PartT]]") -> "Callable[[Parts], Coroutine[Any, Any, PartT]]":
    """Makes the part at the first call and returns that same one ever after."""

    @functools.wraps(make)
    async def part(self: "Parts") -> PartT:
        if make.__name__ not in self.made:
            self.made[make.__name__] = await make(self)
        return self.made[make.__name__]  # type: ignore[no-any-return]

    return part


class Parts:
    """Makes the parts as the settings say; the stack closes what has to be closed, last made first.

    `on_offer` names what adapters may ask for: a parameter of that name gets that part.
    """

    def __init__(
        self, settings: Settings, environ: Mapping[str, str], stack: AsyncExitStack, *, create_secrets: bool
    ) -> None:
        self.settings = settings
        self.made: dict[str, Any] = {}
        self._environ = environ
        self._stack = stack
        self._create_secrets = create_secrets
        self.on_offer: Mapping[str, Callable[[], Awaitable[object]]] = {
            "chat_models": self.chat_models,
            "cipher": self.cipher,
            "clock": self.clock,
            "database": self.database,
            "date_time_formatter": self.date_time_formatter,
            "environ": self.environ,
            "http": self.http,
            "http_tool_hosts": self.http_tool_hosts,
            "master_keys": self.master_keys,
            "memory": self.memory,
            "provider_keys": self.provider_keys,
            "script": self.script,
            "system_prompts": self.system_prompts,
            "timeouts": self.timeouts,
            "tool_access": self.tool_access,
            "tool_servers": self.tool_servers,
            "tools": self.tools,
            "turn_log": self.turn_log,
            "turn_log_days": self.turn_log_days,
        }

    # Ports

    @_once
    async def clock(self) -> Clock:
        return SystemClock()

    @_once
    async def date_time_formatter(self) -> DateTimeFormatter:
        return SystemDateTimeFormatter(timezone=self.settings.timezone, locale=self.settings.locale)

    @_once
    async def tokens(self) -> TokenSource:
        return SystemTokenSource()

    @_once
    async def repo(self) -> InstanceRepo:
        return await self._adapter(INSTANCE_REPO, self.settings.instance_repo)

    @_once
    async def cached_repo(self) -> CachedInstanceRepo:
        return await self._open(CachedInstanceRepo(await self.repo(), clock=await self.clock()))

    @_once
    async def key_check(self) -> KeyCheck:
        return await self._adapter(KEY_CHECK, self.settings.key_check)

    @_once
    async def cipher(self) -> SecretCipher:
        return await self._adapter(SECRET_CIPHER, self.settings.secret_cipher)

    @_once
    async def rate_limiter(self) -> RateLimiter:
        limiter = await self._adapter(RATE_LIMITER, self.settings.rate_limiter)
        if self.settings.rate_limit_fail is RateLimitFail.OPEN:
            return FailOpenRateLimiter(limiter, clock=await self.clock())
        return limiter

    @_once
    async def supervisor(self) -> Supervisor:
        return await self._adapter(SUPERVISOR, self.settings.supervisor)

    @_once
    async def chat_models(self) -> Mapping[str, ChatModel]:
        models = {name: await self._adapter(CHAT_MODEL, name) for name in self.settings.chat_models}
        for name, model in models.items():
            if model.info.name != name:  # instances refer to their provider by it
                raise plugins.AdapterError(f"The chat_model adapter '{name}' calls itself '{model.info.name}'")
        return models

    @_once
    async def tools(self) -> Mapping[str, Tool]:
        return {name: await self._adapter(TOOL, name) for name in self.tool_names}

    @_once
    async def tool_servers(self) -> ToolServers:
        return await self._adapter(TOOL_SERVERS, self.settings.tool_servers)

    @_once
    async def tool_access(self) -> ToolAccess:
        return ToolAccess(tools=await self.tools(), tool_servers=await self.tool_servers(), cipher=await self.cipher())

    @property
    def tool_names(self) -> tuple[str, ...]:
        """The tools that instances may have."""
        return tool_names_of(self.settings)

    @_once
    async def user_repo(self) -> UserRepo:
        return await self._adapter(USER_REPO, self.settings.user_repo)

    @_once
    async def session_repo(self) -> SessionRepo:
        return await self._adapter(SESSION_REPO, self.settings.session_repo)

    @_once
    async def audit_log(self) -> AuditLog:
        return await self._adapter(AUDIT_LOG, self.settings.audit_log)

    @_once
    async def turn_log(self) -> TurnLog:
        return await self._adapter(TURN_LOG, self.settings.turn_log)

    @_once
    async def turn_observers(self) -> Mapping[str, TurnObserver]:
        return {name: await self._adapter(TURN_OBSERVER, name) for name in self.settings.turn_observer_names}

    @_once
    async def password_hasher(self) -> PasswordHasher:
        return await self._adapter(PASSWORD_HASHER, self.settings.password_hasher)

    # What adapters are built with

    @_once
    async def memory(self) -> "MemoryStore":
        from polyant.adapters.memory.store import MemoryStore  # noqa: PLC0415 - only some engines keep things there

        return MemoryStore()

    @_once
    async def database(self) -> "PiccoloDatabase":
        from polyant.adapters.piccolo.database import PiccoloDatabase  # noqa: PLC0415 - only some engines have one

        url = database_url_of(self.settings).reveal()
        try:
            return await self._open(PiccoloDatabase(url, max_connections=self.settings.database_pool_size))
        except InvalidInputError as error:
            raise SettingsError(f"DATABASE_URL: {error}") from None

    @_once
    async def http(self) -> "aiohttp.ClientSession":
        from polyant.adapters.llm.http import open_session  # noqa: PLC0415 - only some commands talk to providers

        return await self._open(open_session())

    async def environ(self) -> Mapping[str, str]:
        return self._environ

    @_once
    async def master_keys(self) -> Iterable[SecretText]:
        return MasterKeys(self.settings, create=self._create_secrets)

    async def timeouts(self) -> ProviderTimeouts:
        settings = self.settings
        return ProviderTimeouts(
            connect=settings.connect_seconds, first_token=settings.first_token_seconds, idle=settings.idle_seconds
        )

    @_once
    async def adapter_options(self) -> AdapterOptions:
        declared: dict[str, type[msgspec.Struct] | None] = {}
        adapters: list[tuple[str, object]] = [*(await self.chat_models()).items(), *(await self.tools()).items()]
        for name, adapter in (*adapters, (self.settings.supervisor, await self.supervisor())):
            try:
                kind = declared_options(adapter)
            except TypeError as error:
                raise plugins.AdapterError(f"The adapter '{name}' can't be used: {error}") from None
            if kind is not None and declared.get(name) is not None:
                raise plugins.AdapterError(f"Two adapters called '{name}' have options: enable only one of them")
            declared[name] = kind or declared.get(name)
        return AdapterOptions(declared)

    async def system_prompts(self) -> SystemPromptComposer:
        return SystemPromptComposer(clock=await self.clock(), date_time_formatter=await self.date_time_formatter())

    async def turn_budget(self) -> TurnBudget:
        return TurnBudget(turn_seconds=self.settings.turn_seconds)

    async def turn_log_days(self) -> int:
        return self.settings.turn_log_days

    async def http_tool_hosts(self) -> frozenset[str]:
        return self.settings.http_tool_hosts

    async def script(self) -> Path | None:
        return self.settings.script

    @_once
    async def provider_keys(self) -> ProviderKeys:
        keys = {info.name: key for info in (await self.providers()).values() if (key := self._operator_key(info))}
        return ProviderKeys(await self.cipher(), operator_keys=keys, trusted_origins=self.settings.provider_hosts)

    async def providers(self) -> dict[str, ProviderInfo]:
        return {name: model.info for name, model in (await self.chat_models()).items()}

    def _operator_key(self, info: ProviderInfo) -> SecretText | None:
        text = self._environ.get(info.environment_variable or "", "").strip()
        if not text:
            return None
        try:
            return parse_secret_value(SecretName("provider_key"), text)
        except InvalidInputError:
            raise SettingsError(f"{info.environment_variable} must be {API_KEY_RULE}") from None

    async def _adapter(self, group: plugins.Group[PartT], name: str) -> PartT:
        try:
            adapter = await plugins.build(group, name, self.on_offer)
        except InvalidInputError as error:
            raise SettingsError(f"The {group.name} adapter '{name}' can't be built: {error}") from None
        if isinstance(adapter, AbstractAsyncContextManager):
            await self._stack.enter_async_context(adapter)
        return adapter

    async def _open(self, part: AbstractAsyncContextManager[PartT]) -> PartT:
        return await self._stack.enter_async_context(part)
