"""The use cases of the management API on memory adapters, with cheap hashes, two providers and two tools."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import msgspec

from polyant.adapters.crypto.password_hasher import Argon2idPasswordHasher
from polyant.adapters.crypto.secret_cipher import AesGcmSecretCipher
from polyant.adapters.memory.audit_log import MemoryAuditLog
from polyant.adapters.memory.channel_connections import MemoryChannelConnections
from polyant.adapters.memory.inbox import MemoryInbox
from polyant.adapters.memory.instance_history import MemoryInstanceHistory
from polyant.adapters.memory.instance_repo import MemoryInstanceRepo
from polyant.adapters.memory.lanes import MemoryLanes
from polyant.adapters.memory.login_history import MemoryLoginHistory
from polyant.adapters.memory.outbox import MemoryOutbox
from polyant.adapters.memory.rate_limiter import MemoryRateLimiter
from polyant.adapters.memory.session_repo import MemorySessionRepo
from polyant.adapters.memory.skill_files import MemorySkillFiles
from polyant.adapters.memory.store import MemoryStore
from polyant.adapters.memory.user_repo import MemoryUserRepo
from polyant.adapters.system.date_time_formatter import SystemDateTimeFormatter
from polyant.adapters.system.token_source import SystemTokenSource
from polyant.adapters.tools.calculate_tool import CalculateTool
from polyant.container import Container
from polyant.domain.access import Session
from polyant.domain.adapter_options import AdapterOptions
from polyant.domain.audit import AuditEntry, AuditQuery
from polyant.domain.catalog import Catalog
from polyant.domain.channel_accounts import ChannelAccounts
from polyant.domain.channel_registry import ChannelRegistry
from polyant.domain.channels import ChannelName
from polyant.domain.chat import ModelEvent, ModelRequest
from polyant.domain.conversation_removal import ConversationRemoval
from polyant.domain.errors import ProviderError, ProviderFailure
from polyant.domain.injectables import PublicUrl, ToolNames
from polyant.domain.instances import Slug
from polyant.domain.limits import TurnBudget
from polyant.domain.login_limits import LoginLimits
from polyant.domain.lookup_hashes import LookupHashes
from polyant.domain.media.conversation_media import ConversationMedia
from polyant.domain.open_conversation import ConversationKeys
from polyant.domain.outbound import OutboundPolicy
from polyant.domain.pairing import PairingCodes
from polyant.domain.password_queue import PasswordQueue
from polyant.domain.ports.audit_log import AuditLog
from polyant.domain.ports.channel import Channel
from polyant.domain.ports.channel_connections import ChannelConnections
from polyant.domain.ports.chat_model import ChatModel, ProviderInfo
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.conversation_maintenance import ConversationMaintenance
from polyant.domain.ports.conversation_repo import ConversationRepo
from polyant.domain.ports.data_cipher import DataCipher
from polyant.domain.ports.inbox import Inbox
from polyant.domain.ports.instance_history import InstanceHistory
from polyant.domain.ports.instance_repo import InstanceRepo
from polyant.domain.ports.login_history import LoginHistory
from polyant.domain.ports.outbox import Outbox
from polyant.domain.ports.password_hasher import PasswordHasher
from polyant.domain.ports.rate_limiter import RateLimiter
from polyant.domain.ports.secret_cipher import SecretCipher
from polyant.domain.ports.session_repo import SessionRepo
from polyant.domain.ports.session_tokens import SessionTokens
from polyant.domain.ports.skill_files import SkillFiles
from polyant.domain.ports.token_source import TokenSource
from polyant.domain.ports.tool import Tool
from polyant.domain.ports.tool_servers import Omission, OpenedServers, ServerAccess, ServerFault, ToolServers
from polyant.domain.ports.turn_log import TurnLog
from polyant.domain.ports.user_repo import UserRepo
from polyant.domain.provider_keys import ProviderKeys
from polyant.domain.running_turns import RunningTurns
from polyant.domain.secrets import SecretName, SecretText
from polyant.domain.skill_reading import SkillReader
from polyant.domain.system_prompt import SystemPromptComposer
from polyant.domain.tool_access import ToolAccess
from polyant.domain.tools import OfferedTool, ToolContext, tool_spec
from polyant.domain.use_cases.run_turn import RunTurn
from polyant.domain.users import Email, Role, SessionRevocation, StoredSession, User, UserId
from polyant.http.session_tokens import JwtSessionTokens
from polyant.testing.fake_channel import FakeChannel
from polyant.testing.manual_clock import ManualClock
from polyant.wiring import USE_CASES
from support.conversations import ConversationHarness
from support.harness import ADAPTER_OPTIONS, ALLOWED_ORIGINS, ECHO, VENDOR
from support.sessions import AUTH_SECRET, TOKEN_ID, USER_ID
from support.turn_runner import TurnRunner

T = TypeVar("T")

NETWORK = "203.0.113.7"
"""The network that logins come from unless a test says otherwise."""
PASSWORD = "correct horse battery staple"


class NoArguments(msgspec.Struct):
    """No arguments."""


class LookUpTool(Tool):
    """A tool that needs a secret of the instance."""

    name = "look_up"
    description = "Looks a customer up."
    arguments = NoArguments
    secrets = (SecretName("crm_token"),)

    async def run(self, arguments: object, context: ToolContext) -> str:
        return context.slug


class CheckedChatModel(ChatModel):
    """A chat model that is only checked: it can be reached unless it has a problem."""

    def __init__(self, info: ProviderInfo) -> None:
        self.info = info
        self.problem: ProviderFailure | None = None

    def generate(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        raise NotImplementedError

    async def check(self, base_url: str, *, public_only: bool = False) -> None:
        if self.problem is not None:
            raise ProviderError(self.info.name, self.problem)


class RacedUserRepo(MemoryUserRepo):
    """A user repo in which a concurrent write precedes each of the next `races` saves."""

    races = 0

    async def save(self, user: User, *, ends: SessionRevocation | None = None, audit: AuditEntry | None = None) -> User:
        if self.races:
            self.races -= 1
            stored = await self.get(user.id)
            assert stored is not None
            await super().save(stored)
        return await super().save(user, ends=ends, audit=audit)


class FakeToolServers(ToolServers):
    """MCP servers that each offer `per_server` tools, unless the test sets something else for a server."""

    def __init__(self) -> None:
        self.per_server = 1
        self.opened: dict[str, OpenedServers] = {}
        """The results of opening servers, by name."""
        self.accesses: list[ServerAccess] = []
        """The servers opened so far."""

    def offer(self, server: str, *tools: str, description: str = "Finds.", omissions: Sequence[Omission] = ()) -> None:
        """Makes a server offer tools with these names, and omit others."""
        offered = [offered_tool(f"{server}__{tool}", description) for tool in tools]
        self.opened[server] = OpenedServers(tools=offered, omissions=omissions)

    def fail(self, server: str, fault: ServerFault, reason: str = "it can't be reached") -> None:
        """Makes a server fail."""
        self.opened[server] = OpenedServers(omissions=[Omission(server=server, reason=reason, fault=fault)])

    @asynccontextmanager
    async def open(self, slug: Slug, accesses: Sequence[ServerAccess]) -> AsyncIterator[OpenedServers]:
        self.accesses += accesses
        found = [self.opened.get(access.server.name) or self._counted(access.server.name) for access in accesses]
        yield OpenedServers(
            tools=[tool for opened in found for tool in opened.tools],
            omissions=[omission for opened in found for omission in opened.omissions],
        )

    def _counted(self, server: str) -> OpenedServers:
        return OpenedServers(
            tools=[offered_tool(f"{server}__find{more or ''}", "Finds.") for more in range(self.per_server)]
        )


def offered_tool(name: str, description: str) -> OfferedTool:
    """Returns a tool of an MCP server, which returns its arguments."""

    async def call(arguments: str, _: ToolContext) -> str:
        return arguments

    return OfferedTool(spec=tool_spec(name, description, NoArguments), call=call)


BROKEN_CHANNEL = "broken"


class ManagementHarness:
    """The management use cases on memory adapters, with users, their sessions and the audit trail.

    `add_default_user` adds the user whose session `support.sessions.session_token()` belongs to.
    """

    def __init__(
        self,
        runner: TurnRunner,
        cipher: AesGcmSecretCipher,
        *,
        limiter: RateLimiter | None = None,
        hasher: PasswordHasher | None = None,
    ) -> None:
        self.memory = memory = MemoryStore()
        self.clock = ManualClock(datetime.now(UTC).replace(microsecond=0))
        """Starts at the real time, because Litestar compares the tokens' expiry with it."""
        self.repo = MemoryInstanceRepo(memory=memory)
        self.skill_files = MemorySkillFiles(memory=memory)
        self.users = RacedUserRepo(memory=memory)
        self.sessions = MemorySessionRepo(memory=memory)
        self.audit_log = MemoryAuditLog(memory=memory)
        self.turn_log = runner.turn_log
        self.connections = MemoryChannelConnections(memory=memory)
        self.inbox = MemoryInbox(store=memory, clock=self.clock)
        self.lanes = MemoryLanes(store=memory, clock=self.clock)
        self.channel = FakeChannel()
        self.tool_servers = FakeToolServers()
        self.hasher: PasswordHasher = hasher or Argon2idPasswordHasher(memory_kib=8, iterations=1)
        self.passwords = PasswordQueue(hasher=self.hasher)
        self.login_history = MemoryLoginHistory()
        self.login_limits = LoginLimits(
            limiter=limiter or MemoryRateLimiter(clock=self.clock),
            history=self.login_history,
            cipher=cipher,
            clock=self.clock,
        )
        self.tokens = SystemTokenSource()
        self.date_time_formatter = SystemDateTimeFormatter(timezone="UTC", locale="en-US")
        self.session_tokens = JwtSessionTokens(SecretText(AUTH_SECRET))
        tools: Mapping[str, Tool] = {tool.name: tool for tool in (CalculateTool(), LookUpTool())}
        composer = SystemPromptComposer(clock=self.clock, date_time_formatter=self.date_time_formatter)
        providers = {"echo": ECHO, "vendor": VENDOR}
        self.models = {name: CheckedChatModel(info) for name, info in providers.items()}
        outbound = OutboundPolicy(providers=providers, origins=ALLOWED_ORIGINS)
        self.conversations = ConversationHarness(cipher, memory=memory, clock=self.clock)
        self._container = Container(autowired=USE_CASES)
        instances: tuple[tuple[type, object], ...] = (
            (InstanceRepo, self.repo),
            (InstanceHistory, MemoryInstanceHistory(memory=memory)),
            (SkillFiles, self.skill_files),
            (UserRepo, self.users),
            (SessionRepo, self.sessions),
            (AuditLog, self.audit_log),
            (TurnLog, self.turn_log),
            (PasswordHasher, self.hasher),
            (PasswordQueue, self.passwords),
            (LoginHistory, self.login_history),
            (LoginLimits, self.login_limits),
            (SecretCipher, cipher),
            (SessionTokens, self.session_tokens),
            (RunTurn, runner.run_turn),
            (RunningTurns, runner.turns),
            (TurnBudget, TurnBudget()),
            (Clock, self.clock),
            (TokenSource, self.tokens),
            (Mapping[str, ProviderInfo], providers),
            (Mapping[str, ChatModel], self.models),
            (ProviderKeys, ProviderKeys(cipher, operator_keys={}, trusted_origins=frozenset())),
            (Mapping[str, Tool], tools),
            (ToolNames, tuple(tools)),
            (OutboundPolicy, outbound),
            (
                ToolAccess,
                ToolAccess(
                    tools=tools,
                    tool_servers=self.tool_servers,
                    cipher=cipher,
                    outbound=outbound,
                    skills=SkillReader(files=self.skill_files),
                ),
            ),
            (AdapterOptions, ADAPTER_OPTIONS),
            (SystemPromptComposer, composer),
            (ConversationRepo, self.conversations.repo),
            (ConversationMaintenance, self.conversations.maintenance),
            (ConversationKeys, self.conversations.keys),
            (ConversationMedia, self.conversations.media),
            (LookupHashes, self.conversations.hashes),
            (DataCipher, self.conversations.data_cipher),
            (ConversationRemoval, self.conversations.removal),
            (Catalog, Catalog(providers=providers, tools=tools)),
            (ChannelConnections, self.connections),
            (ChannelRegistry, ChannelRegistry(names=["fake"], load=self._fake_channel)),
            (ChannelAccounts, ChannelAccounts(repo=self.repo, cipher=cipher)),
            (PairingCodes, PairingCodes(cipher=cipher)),
            (Inbox, self.inbox),
            (Outbox, MemoryOutbox(store=memory, clock=self.clock)),
            (PublicUrl, PublicUrl("https://bots.example")),
        )
        for kind, instance in instances:
            self._container.register_value(kind, instance)

    def declare(self, options: AdapterOptions) -> None:
        """Replaces the options of adapters; must precede their first use."""
        self._container.register_value(AdapterOptions, options)

    async def _fake_channel(self, name: ChannelName) -> Channel:
        if name == BROKEN_CHANNEL:
            raise ImportError("No module named 'acme'")
        return self.channel

    async def enable_broken_channel(self) -> None:
        """Enables another channel, whose adapter can't be imported."""
        registry = await self.get(ChannelRegistry)
        registry.names = (*registry.names, BROKEN_CHANNEL)

    async def get(self, kind: type[T]) -> T:
        """Returns a use case or one of its adapters, by type."""
        return await self._container.get(kind)

    async def audit_entries(self) -> list[tuple[str, str, str | None, str | None, tuple[str, ...]]]:
        """Returns the audit entries, oldest first: actor, action, instance, user and details."""
        found = (await self.audit_log.list(AuditQuery(limit=1_000))).entries
        return [(each.actor, each.action, each.instance, each.user, each.details) for each in reversed(found)]

    async def add_default_user(self) -> None:
        """Stores the user and the session that test tokens belong to."""
        user = await self.users.add(self._build_user("user-1@example.com", Role.USER, USER_ID))
        await self._start_session(user, TOKEN_ID)

    async def add_user(self, email: str = "ada@example.com", *, role: Role = Role.USER, password: str = "") -> User:
        """Stores a user. Without a password, the user can't log in."""
        hashed = await self.hasher.hash(SecretText(password)) if password else ""
        user = msgspec.structs.replace(self._build_user(email, role, self.tokens.user_id()), password_hash=hashed)
        return await self.users.add(user)

    async def issue_token(self, user: User) -> str:
        """Returns the token of a new session of the user."""
        return self.session_tokens.issue(await self.start_session(user)).reveal()

    async def start_session(self, user: User) -> Session:
        """Returns a new session of the user."""
        return await self._start_session(user, self.tokens.session_id())

    async def add_user_token(self, role: Role = Role.USER) -> str:
        """Adds a user and returns a session token of that user."""
        return await self.issue_token(await self.add_user(f"{self.tokens.session_id()}@example.com", role=role))

    async def _start_session(self, user: User, token_id: str) -> Session:
        session = Session(user_id=user.id, token_id=token_id, expires_at=self.clock.now() + timedelta(hours=12))
        stored = StoredSession(token_id=token_id, user_id=user.id, expires_at=session.expires_at)
        await self.sessions.add(stored, user_version=user.version, now=self.clock.now())
        return session

    def _build_user(self, email: str, role: Role, user_id: str) -> User:
        now = self.clock.now()
        return User(id=UserId(user_id), email=Email(email), role=role, password_hash="", created_at=now, updated_at=now)
