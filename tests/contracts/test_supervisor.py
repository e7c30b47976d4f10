import pytest

from polyant.adapters.tool_loop.supervisor import ToolLoopSupervisor
from polyant.testing.supervisor import SupervisorContract, SupervisorUnderTest
from support.supervisor_rigs import rig_of
from support.toolbox_supervisor import ToolboxSupervisor


class TestToolLoopSupervisor(SupervisorContract):
    @pytest.fixture
    async def supervised(self) -> SupervisorUnderTest:
        return await rig_of(lambda parts: ToolLoopSupervisor(toolbox=parts.toolbox))


class TestToolboxSupervisor(SupervisorContract):
    @pytest.fixture
    async def supervised(self) -> SupervisorUnderTest:
        return await rig_of(lambda parts: ToolboxSupervisor(toolbox=parts.toolbox))
