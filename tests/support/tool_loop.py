"""The default Supervisor on a fake model, fake tools and fake MCP servers."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from polyant.adapters.crypto.secret_cipher import AesGcmSecretCipher
from polyant.adapters.memory.skill_files import MemorySkillFiles
from polyant.adapters.memory.store import MemoryStore
from polyant.adapters.system.clock import SystemClock
from polyant.adapters.system.date_time_formatter import SystemDateTimeFormatter
from polyant.adapters.tool_loop.supervisor import ToolLoopSupervisor
from polyant.domain.chat import ModelRequest, SupervisorEvent, Turn
from polyant.domain.injectables import OutboundOrigins
from polyant.domain.instances import Instance
from polyant.domain.limits import TurnBudget, TurnLimits
from polyant.domain.outbound import OutboundPolicy
from polyant.domain.ports.chat_model import ChatModel
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.tool import Tool
from polyant.domain.ports.turn_observer import TurnObserver
from polyant.domain.provider_keys import ProviderKeys
from polyant.domain.secrets import SealedSecret, SecretName, SecretText
from polyant.domain.skill_files import pack_skills
from polyant.domain.skill_reading import SkillReader
from polyant.domain.skills import SkillContent
from polyant.domain.system_prompt import SystemPromptComposer
from polyant.domain.tool_access import ToolAccess
from polyant.domain.toolbox import Toolbox
from polyant.domain.tools import ToolContext
from polyant.domain.turn_content import ContentRecording
from polyant.domain.turn_recording import TurnRecording
from polyant.domain.use_cases.set_secret import seal, with_secret
from polyant.testing.factories import InstanceFactory
from polyant.testing.fakes import Activity, FakeChatModel, FakeStep, FakeTool
from polyant.testing.manual_clock import START
from polyant.testing.supervisor_events import events_of
from polyant.testing.supervisor_rig import FakeToolServers
from polyant.testing.turns import turn_of
from support.coroutines import result_of

PROVIDER_KEY = FakeChatModel.info.secret or SecretName("")
KEY = "played-key-0123456789"

Play = Sequence[FakeStep] | Callable[[ModelRequest], FakeStep]


class ToolLoop:
    """Runs turns of the default Supervisor; its attributes may be changed until the first turn."""

    def __init__(self) -> None:
        self.activity = Activity()
        self.cipher = AesGcmSecretCipher(master_keys=[SecretText("0f" * 32)])
        self.clock: Clock = SystemClock()
        self.date_time_formatter = SystemDateTimeFormatter(timezone="UTC", locale="en-US")
        self.tools: dict[str, Tool] = {}
        self.servers = FakeToolServers()
        self.memory = MemoryStore()
        self.skill_files = MemorySkillFiles(memory=self.memory)
        self.budget = TurnBudget()
        self.outbound = OutboundPolicy(providers={"fake": FakeChatModel.info}, origins=OutboundOrigins(frozenset()))
        bare = InstanceFactory.build(
            provider="fake",
            base_url=None,
            temperature=None,
            tools=(),
            mcp_servers=(),
            secrets={},
            limits=TurnLimits(),
            options={},
        )
        self.instance = with_secret(bare, self.seal(bare, PROVIDER_KEY, KEY, "http://fake.invalid:80"))
        for name, play in (("answer", answer), ("fail", fail), ("hang", self._hang)):
            self.add_tool(name, play)

    def add_tool(self, name: str, play: Any, **more: Any) -> None:
        """Installs a tool and enables it."""
        self.tools[name] = FakeTool(name, play, self.activity, **more)
        self.instance = msgspec.structs.replace(self.instance, tools=(*self.instance.tools, name))

    def add_skills(self, *contents: SkillContent) -> None:
        """Gives the instance these skills."""
        skills, files = pack_skills(self.instance.id, contents)
        self.memory.add_skill_files(files)
        self.instance = msgspec.structs.replace(self.instance, skills=skills)

    def seal(self, instance: Instance, name: SecretName, value: str, origin: str | None = None) -> SealedSecret:
        return result_of(seal(self.cipher, instance, name, SecretText(value), now=START, origin=origin))

    def set_secret(self, name: str, value: str, origin: str | None = None) -> None:
        self.instance = with_secret(self.instance, self.seal(self.instance, SecretName(name), value, origin))

    def limit(self, **limits: float) -> None:
        """Overrides limits on the instance."""
        own = msgspec.structs.replace(self.instance.limits, **limits)
        self.instance = msgspec.structs.replace(self.instance, limits=own)

    @property
    def turn(self) -> Turn:
        budget = self.instance.limits.applied_to(self.budget)
        return turn_of(self.instance, budget=budget, deadline=self.clock.monotonic() + budget.turn_seconds)

    @property
    def provider_keys(self) -> ProviderKeys:
        return ProviderKeys(self.cipher, operator_keys={}, trusted_origins=frozenset())

    def recording(self, observers: Mapping[str, TurnObserver]) -> TurnRecording:
        content = ContentRecording(
            observers=observers,
            cipher=self.cipher,
            providers={"fake": FakeChatModel.info},
            provider_keys=self.provider_keys,
        )
        return TurnRecording(observers=observers, content=content)

    @property
    def tool_access(self) -> ToolAccess:
        return ToolAccess(
            tools=self.tools,
            tool_servers=self.servers,
            cipher=self.cipher,
            outbound=self.outbound,
            skills=SkillReader(files=self.skill_files),
        )

    def toolbox(self, model: ChatModel) -> Toolbox:
        return Toolbox(
            chat_models={"fake": model},
            provider_keys=self.provider_keys,
            tool_access=self.tool_access,
            system_prompts=SystemPromptComposer(clock=self.clock, date_time_formatter=self.date_time_formatter),
            cipher=self.cipher,
            clock=self.clock,
            outbound=self.outbound,
        )

    def supervisor(self, model: ChatModel) -> ToolLoopSupervisor:
        return ToolLoopSupervisor(toolbox=self.toolbox(model))

    def model(self, play: Play) -> FakeChatModel:
        return FakeChatModel(play, self.activity)

    async def run(self, play: Play) -> tuple[list[SupervisorEvent], list[ModelRequest]]:
        """Returns the events of a turn and the requests its model received."""
        model = self.model(play)
        return await events_of(self.supervisor(model).run(self.turn)), model.requests

    async def _hang(self, _: object, __: ToolContext) -> str:
        await self.activity.hang()
        return ""


async def answer(_: object, __: ToolContext) -> str:
    return "forty-two"


async def fail(_: object, __: ToolContext) -> str:
    raise ValueError("a text with the key secret-0123456789")


def unusable(loop: ToolLoop) -> Mapping[str, Turn]:
    """Returns turns that can't run, by the reason."""
    instance = loop.instance
    broken = msgspec.structs.replace(instance.secrets[PROVIDER_KEY], sealed="v1:nonsense")
    instances = {
        "unknown provider": msgspec.structs.replace(instance, provider="gone"),
        "missing key": msgspec.structs.replace(instance, secrets={}),
        "unreadable key": with_secret(instance, broken),
    }
    return {reason: msgspec.structs.replace(loop.turn, instance=each) for reason, each in instances.items()}
