import msgspec
import pytest
from polyant_langgraph.supervisor import LangGraphSupervisor

from polyant.adapters.crypto.secret_cipher import AesGcmSecretCipher
from polyant.adapters.memory.skill_files import MemorySkillFiles
from polyant.adapters.memory.store import MemoryStore
from polyant.adapters.system.clock import SystemClock
from polyant.adapters.system.date_time_formatter import SystemDateTimeFormatter
from polyant.domain.chat import ToolResult
from polyant.domain.secrets import SecretText
from polyant.testing.fakes import FakeStep
from polyant.testing.supervisor import SupervisorContract
from polyant.testing.supervisor_duties import ANSWER, TOOL_SECRET
from polyant.testing.supervisor_events import events_of
from polyant.testing.supervisor_rig import SupervisorRig, open_rig


async def rig() -> SupervisorRig:
    return await open_rig(
        lambda parts: LangGraphSupervisor(toolbox=parts.toolbox),
        cipher=AesGcmSecretCipher(master_keys=[SecretText("0f" * 32)]),
        clock=SystemClock(),
        date_time_formatter=SystemDateTimeFormatter(timezone="UTC", locale="en-US"),
        skill_files=MemorySkillFiles(memory=MemoryStore()),
    )


class TestLangGraphSupervisor(SupervisorContract):
    @pytest.fixture
    async def supervised(self) -> SupervisorRig:
        return await rig()


@pytest.mark.parametrize("tool", ["reveal", "reveal_in_error"])
async def test_token_that_a_crm_tool_echoes_is_never_shown(tool: str) -> None:
    supervised = await rig()
    supervisor = supervised.playing(FakeStep(tools=(tool,)), ANSWER)
    events = await events_of(supervisor.run(supervised.turn))
    (result,) = [each for each in supervised.requests[-1].messages if isinstance(each, ToolResult)]
    assert "[crm_token]" in result.content
    shown = repr(events) + "".join(repr(request.messages) for request in supervised.requests)
    assert TOOL_SECRET not in shown
    assert msgspec.json.encode(events)
