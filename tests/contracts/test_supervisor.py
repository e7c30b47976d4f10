from collections.abc import Mapping

import msgspec
import pytest

from polyant.domain.chat import Turn
from polyant.domain.ports.supervisor import Supervisor
from polyant.testing.played_parts import PlayedStep
from polyant.testing.supervisor import SupervisorContract, SupervisorUnderTest
from support.tool_loop import ToolLoop, unusable


class ToolLoopUnderTest:
    def __init__(self) -> None:
        self._loop = ToolLoop()

    @property
    def turn(self) -> Turn:
        return self._loop.turn

    @property
    def running(self) -> int:
        return self._loop.activity.running

    def playing(self, *steps: PlayedStep, turn_seconds: float = 300.0) -> Supervisor:
        self._loop.budget = msgspec.structs.replace(self._loop.budget, turn_seconds=turn_seconds)
        return self._loop.supervisor(self._loop.model(steps))

    async def hanging(self, count: int = 1) -> None:
        await self._loop.activity.hanging(count)

    def unusable(self) -> Mapping[str, Turn]:
        return unusable(self._loop)


class TestToolLoopSupervisor(SupervisorContract):
    @pytest.fixture
    async def supervised(self) -> SupervisorUnderTest:
        return ToolLoopUnderTest()
