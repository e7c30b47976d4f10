from collections.abc import Mapping, Sequence

import msgspec
import pytest

from polyant.domain.chat import ModelRequest, Turn
from polyant.domain.ports.supervisor import Supervisor
from polyant.testing.fakes import FakeChatModel, FakeStep
from polyant.testing.supervisor import SupervisorContract, SupervisorUnderTest
from support.tool_loop import ToolLoop, unusable
from support.toolbox_supervisor import ToolboxSupervisor


class ToolLoopUnderTest:
    def __init__(self) -> None:
        self._loop = ToolLoop()
        self._model: FakeChatModel

    @property
    def turn(self) -> Turn:
        return self._loop.turn

    @property
    def running(self) -> int:
        return self._loop.activity.running

    def turn_ending_in(self, seconds: float) -> Turn:
        return msgspec.structs.replace(self.turn, deadline=self._loop.clock.monotonic() + seconds)

    @property
    def requests(self) -> Sequence[ModelRequest]:
        return self._model.requests

    def playing(self, *steps: FakeStep) -> Supervisor:
        self._model = self._loop.model(steps)
        return self._loop.supervisor(self._model)

    async def hanging(self, count: int = 1) -> None:
        await self._loop.activity.hanging(count)

    def unusable(self) -> Mapping[str, Turn]:
        return unusable(self._loop)


class ToolboxSupervisorUnderTest(ToolLoopUnderTest):
    def playing(self, *steps: FakeStep) -> Supervisor:
        self._model = self._loop.model(steps)
        return ToolboxSupervisor(toolbox=self._loop.toolbox(self._model))


class TestToolLoopSupervisor(SupervisorContract):
    @pytest.fixture
    async def supervised(self) -> SupervisorUnderTest:
        return ToolLoopUnderTest()


class TestToolboxSupervisor(SupervisorContract):
    @pytest.fixture
    async def supervised(self) -> SupervisorUnderTest:
        return ToolboxSupervisorUnderTest()
