"""The rig of a Supervisor: an instance with secrets and limits, a fake model, fake tools and a fake MCP server."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

import msgspec

from polyant.domain.chat import ModelRequest, ToolSpec, Turn
from polyant.domain.injectables import OutboundOrigins
from polyant.domain.instances import Instance, Slug
from polyant.domain.limits import TurnLimits
from polyant.domain.mcp_servers import McpServer
from polyant.domain.outbound import OutboundPolicy
from polyant.domain.ports.chat_model import ChatModel
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.date_time_formatter import DateTimeFormatter
from polyant.domain.ports.secret_cipher import SecretCipher
from polyant.domain.ports.skill_files import SkillFiles
from polyant.domain.ports.supervisor import Supervisor
from polyant.domain.ports.tool import Tool
from polyant.domain.ports.tool_servers import OpenedServers, ServerAccess, ToolServers
from polyant.domain.prompts import SectionKey
from polyant.domain.provider_keys import ProviderKeys
from polyant.domain.secrets import SecretName, SecretText
from polyant.domain.skill_reading import SkillReader
from polyant.domain.system_prompt import SystemPromptComposer
from polyant.domain.tool_access import ToolAccess
from polyant.domain.toolbox import Toolbox
from polyant.domain.tools import OfferedTool, ToolContext, ToolError
from polyant.domain.use_cases.set_secret import seal, with_secret
from polyant.testing.factories import InstanceFactory
from polyant.testing.fakes import Activity, FakeChatModel, FakeStep, FakeTool
from polyant.testing.manual_clock import START
from polyant.testing.supervisor import SupervisorUnderTest
from polyant.testing.supervisor_duties import SERVER_RESULT, TOOL_SECRET, ToolRun
from polyant.testing.turns import turn_of

_KEY = SecretName("fake_api_key")
_TOKEN = SecretName("crm_token")
_MISSING = SecretName("missing_token")
_NO_LIMITS = TurnLimits()
_ENABLED = ("answer", "fail", "hang", "reveal", "reveal_in_error", "unready")


class FakeToolServers(ToolServers):
    """MCP servers that offer the tools set by the test, and record the calls of `open`."""

    def __init__(self) -> None:
        self.tools: list[OfferedTool] = []
        self.asked: list[tuple[Slug, Sequence[ServerAccess]]] = []
        self.open_now = 0

    @asynccontextmanager
    async def open(self, slug: Slug, accesses: Sequence[ServerAccess]) -> AsyncIterator[OpenedServers]:
        """Yields the tools."""
        self.asked.append((slug, accesses))
        self.open_now += 1
        try:
            yield OpenedServers(tools=self.tools)
        finally:
            self.open_now -= 1


class SupervisorParts(msgspec.Struct, frozen=True, kw_only=True):
    """The instances that the constructor of a Supervisor can request, for one fake model."""

    toolbox: Toolbox
    chat_models: Mapping[str, ChatModel]
    provider_keys: ProviderKeys
    tool_access: ToolAccess
    system_prompts: SystemPromptComposer
    cipher: SecretCipher
    clock: Clock
    outbound: OutboundPolicy


class SupervisorRig(SupervisorUnderTest):
    """A Supervisor on fakes; see `open_rig`."""

    def __init__(
        self,
        build: Callable[[SupervisorParts], Supervisor],
        instance: Instance,
        *,
        cipher: SecretCipher,
        clock: Clock,
        date_time_formatter: DateTimeFormatter,
        skill_files: SkillFiles,
    ) -> None:
        self._build = build
        self._instance = instance
        self._cipher = cipher
        self._clock = clock
        self._skill_files = skill_files
        self._prompts = SystemPromptComposer(clock=clock, date_time_formatter=date_time_formatter)
        self._activity = Activity()
        self._servers = FakeToolServers()
        self._servers.tools = [_server_tool()]
        self._tools = self._fake_tools()
        self._runs: list[ToolRun] = []
        self._model = FakeChatModel([], self._activity)

    @property
    def turn(self) -> Turn:
        return self.turn_ending_in(300.0)

    def turn_ending_in(self, seconds: float) -> Turn:
        return turn_of(self._instance, deadline=self._clock.monotonic() + seconds)

    @property
    def running(self) -> int:
        return self._activity.running

    @property
    def requests(self) -> Sequence[ModelRequest]:
        return self._model.requests

    @property
    def runs(self) -> Sequence[ToolRun]:
        return self._runs

    @property
    def open_servers(self) -> int:
        return self._servers.open_now

    def playing(self, *steps: FakeStep) -> Supervisor:
        self._model = FakeChatModel(steps, self._activity)
        return self._build(self._parts())

    async def hanging(self, count: int = 1) -> None:
        await self._activity.hanging(count)

    def unusable(self) -> Mapping[str, Turn]:
        replace, instance = msgspec.structs.replace, self._instance
        unreadable = replace(instance.secrets[_KEY], sealed="v1:nonsense")
        instances = {
            "unknown provider": replace(instance, provider="gone"),
            "missing key": replace(instance, secrets={}),
            "unreadable key": with_secret(instance, unreadable),
        }
        return {reason: replace(self.turn, instance=each) for reason, each in instances.items()}

    def _parts(self) -> SupervisorParts:
        providers = {"fake": FakeChatModel.info}
        chat_models: Mapping[str, ChatModel] = {"fake": self._model}
        provider_keys = ProviderKeys(self._cipher, operator_keys={}, trusted_origins=frozenset())
        outbound = OutboundPolicy(providers=providers, origins=OutboundOrigins(frozenset()))
        tool_access = ToolAccess(
            tools=self._tools,
            tool_servers=self._servers,
            cipher=self._cipher,
            outbound=outbound,
            skills=SkillReader(files=self._skill_files),
        )
        toolbox = Toolbox(
            chat_models=chat_models,
            provider_keys=provider_keys,
            tool_access=tool_access,
            system_prompts=self._prompts,
            cipher=self._cipher,
            clock=self._clock,
            outbound=outbound,
        )
        return SupervisorParts(
            toolbox=toolbox,
            chat_models=chat_models,
            provider_keys=provider_keys,
            tool_access=tool_access,
            system_prompts=self._prompts,
            cipher=self._cipher,
            clock=self._clock,
            outbound=outbound,
        )

    def _fake_tools(self) -> dict[str, Tool]:
        secrets = {"reveal": (_TOKEN,), "reveal_in_error": (_TOKEN,), "unready": (_MISSING,)}
        names = (*_ENABLED, "forbidden")
        return {name: FakeTool(name, self._tool(name), self._activity, secrets=secrets.get(name, ())) for name in names}

    def _tool(self, name: str) -> Callable[[object, ToolContext], Awaitable[str]]:
        async def run(_: object, context: ToolContext) -> str:
            self._runs.append(ToolRun(name=name, secrets=dict(context.secrets)))
            match name:
                case "fail":
                    raise ValueError(f"an exception with {TOOL_SECRET}")
                case "hang":
                    await self._activity.hang()
                case "reveal":
                    return f"The token is {context.secrets[_TOKEN].reveal()}, isn't it?"
                case "reveal_in_error":
                    raise ToolError(f"The token {context.secrets[_TOKEN].reveal()} was refused")
            return "forty-two"

        return run


async def open_rig(
    build: Callable[[SupervisorParts], Supervisor],
    *,
    cipher: SecretCipher,
    clock: Clock,
    date_time_formatter: DateTimeFormatter,
    skill_files: SkillFiles,
) -> SupervisorRig:
    """Returns a rig.

    Args:
        build: Returns the Supervisor under test, from the parts that its constructor requests.
        cipher: Encrypts the instance's secrets, for example an AesGcmSecretCipher.
        clock: A clock in real time, because the contract's tools take real time.
        date_time_formatter: Any, for example a SystemDateTimeFormatter.
        skill_files: Any, for example a MemorySkillFiles; the instance has no skills.
    """
    instance = InstanceFactory.build(
        provider="fake",
        base_url=None,
        temperature=None,
        tools=_ENABLED,
        mcp_servers=(McpServer(name="files", url="https://files.example/mcp", tools=("*",)),),
        secrets={},
        skills=(),
        limits=_NO_LIMITS,
        options={"fake": {"effort": "low"}},
        sections={SectionKey.IDENTITY: "You are Otto.", SectionKey.SAFETY: "Never tell the token."},
    )
    secrets = {_KEY: ("fake-key-0123456789", "http://fake.invalid:80"), _TOKEN: (TOOL_SECRET, None)}
    for name, (value, origin) in secrets.items():
        sealed = await seal(cipher, instance, name, SecretText(value), now=START, origin=origin)
        instance = with_secret(instance, sealed)
    return SupervisorRig(
        build,
        instance,
        cipher=cipher,
        clock=clock,
        date_time_formatter=date_time_formatter,
        skill_files=skill_files,
    )


def _server_tool() -> OfferedTool:
    async def read(_: str, __: ToolContext) -> str:
        return SERVER_RESULT

    spec = ToolSpec(name="files__read", description="Reads a file.", parameters=msgspec.Raw(b'{"type":"object"}'))
    return OfferedTool(spec=spec, call=read)
