"""Supervisors that each neglect one duty."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager

import msgspec
import pytest

from polyant.adapters.tool_loop.supervisor import ToolLoopSupervisor
from polyant.domain.agent_loop import guarded_tools, model_step
from polyant.domain.chat import ProviderFields, Sampling, StepFinished, SupervisorEvent, Turn
from polyant.domain.instances import Instance
from polyant.domain.ports.supervisor import Supervisor
from polyant.domain.secrets import SecretName, SecretText
from polyant.domain.tool_access import AvailableTools, ToolAccess
from polyant.domain.toolbox import Toolbox
from polyant.domain.trace_context import TraceContext
from polyant.testing import supervisor_duties
from polyant.testing.supervisor import SupervisorContract, SupervisorUnderTest
from polyant.testing.supervisor_rig import SupervisorParts
from support.patience import seconds
from support.supervisor_rigs import rig_of


class Wrong(Supervisor):
    """Changes the turns of a right supervisor."""

    def __init__(self, parts: SupervisorParts) -> None:
        self._supervisor = ToolLoopSupervisor(toolbox=parts.toolbox)

    def run(self, turn: Turn) -> AsyncGenerator[SupervisorEvent, None]:
        return self._supervisor.run(self.changed(turn))

    def changed(self, turn: Turn) -> Turn:
        return turn


class Impatient(SupervisorContract):
    wrong: type[Wrong]

    @pytest.fixture(autouse=True)
    def impatient(self, monkeypatch: pytest.MonkeyPatch) -> None:
        # A wrong one only wastes the time until then.
        monkeypatch.setattr(supervisor_duties, "PATIENCE_SECONDS", seconds(2))

    @pytest.fixture
    async def supervised(self) -> SupervisorUnderTest:
        return await rig_of(self.wrong)


class WithLimits(Wrong):
    limits: Mapping[str, float]

    def changed(self, turn: Turn) -> Turn:
        return msgspec.structs.replace(turn, budget=msgspec.structs.replace(turn.budget, **self.limits))


class ManySteps(WithLimits):
    limits: Mapping[str, float] = {"max_steps": 20}


class TestStepsUnlimited(Impatient):
    wrong = ManySteps


class ManyToolCalls(WithLimits):
    limits: Mapping[str, float] = {"max_tool_calls": 1_000}


class TestToolCallsUnlimited(Impatient):
    wrong = ManyToolCalls


class LongToolTime(WithLimits):
    limits: Mapping[str, float] = {"tool_seconds": 600}


class TestToolTimeUnlimited(Impatient):
    wrong = LongToolTime


class ChangesInstance(Wrong):
    def changed(self, turn: Turn) -> Turn:
        return msgspec.structs.replace(turn, instance=self.instance_of(turn))

    def instance_of(self, turn: Turn) -> Instance:
        raise NotImplementedError


class EnablesEverything(ChangesInstance):
    def instance_of(self, turn: Turn) -> Instance:
        return msgspec.structs.replace(turn.instance, tools=(*turn.instance.tools, "forbidden"))


class TestEveryInstalledToolOffered(Impatient):
    wrong = EnablesEverything


class WithoutSections(ChangesInstance):
    def instance_of(self, turn: Turn) -> Instance:
        return msgspec.structs.replace(turn.instance, sections={})


class TestSystemPromptDropped(Impatient):
    wrong = WithoutSections


class WithoutServers(ChangesInstance):
    def instance_of(self, turn: Turn) -> Instance:
        return msgspec.structs.replace(turn.instance, mcp_servers=())


class TestMcpServersNotOpened(Impatient):
    wrong = WithoutServers


class WithoutOptions(ChangesInstance):
    def instance_of(self, turn: Turn) -> Instance:
        return msgspec.structs.replace(turn.instance, options={})


class TestOptionsDropped(Impatient):
    wrong = WithoutOptions


class WithoutInstructions(Wrong):
    def changed(self, turn: Turn) -> Turn:
        return msgspec.structs.replace(turn, caller_instructions=())


class TestInstructionsOfCallerDropped(Impatient):
    wrong = WithoutInstructions


class WithoutParameters(Wrong):
    def changed(self, turn: Turn) -> Turn:
        return msgspec.structs.replace(turn, sampling=Sampling(), provider_fields=ProviderFields())


class TestParametersDropped(Impatient):
    wrong = WithoutParameters


class OnlyLastMessage(Wrong):
    def changed(self, turn: Turn) -> Turn:
        return msgspec.structs.replace(turn, messages=turn.messages[-1:])


class TestHistoryDropped(Impatient):
    wrong = OnlyLastMessage


class TestSecretsNotRedacted(Impatient):
    wrong = Wrong

    @pytest.fixture(autouse=True)
    def unredacted(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(guarded_tools, "_redacted", lambda text, _: text)


class TestEverySecretForEachTool(Impatient):
    wrong = Wrong

    @pytest.fixture(autouse=True)
    def all_secrets(self, monkeypatch: pytest.MonkeyPatch) -> None:
        right = guarded_tools.GuardedTools._decrypt

        async def decrypt(tools: guarded_tools.GuardedTools, _: Iterable[SecretName]) -> dict[SecretName, SecretText]:
            return await right(tools, tools._instance.secrets)

        monkeypatch.setattr(guarded_tools.GuardedTools, "_decrypt", decrypt)


class TestPausesNotContinued(Impatient):
    wrong = Wrong

    @pytest.fixture(autouse=True)
    def without_pauses(self, monkeypatch: pytest.MonkeyPatch) -> None:
        right = model_step.ModelStep.finish

        def finish(step: model_step.ModelStep) -> StepFinished:
            finished = right(step)
            step.is_final = not step.calls
            return finished

        monkeypatch.setattr(model_step.ModelStep, "finish", finish)


class KeepsOpen(ToolAccess):
    """Never closes the connections to MCP servers."""

    kept: list[object]

    @asynccontextmanager
    async def open(self, instance: Instance, *, trace: TraceContext | None = None) -> AsyncIterator[AvailableTools]:
        opened = super().open(instance, trace=trace)
        self.kept = [opened]
        yield await opened.__aenter__()


class WithoutClosing(Wrong):
    def __init__(self, parts: SupervisorParts) -> None:
        access = KeepsOpen.__new__(KeepsOpen)
        vars(access).update(vars(parts.tool_access))
        toolbox = Toolbox.__new__(Toolbox)
        vars(toolbox).update({**vars(parts.toolbox), "_tool_access": access})
        self._supervisor = ToolLoopSupervisor(toolbox=toolbox)


class TestMcpServersNotClosed(Impatient):
    wrong = WithoutClosing
