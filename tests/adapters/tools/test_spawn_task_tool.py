import msgspec
import pytest

from polyant.adapters.tools.spawn_task_tool import SpawnTask, SpawnTaskTool
from polyant.domain.tools import ToolError
from polyant.testing.tool import CONTEXT


async def test_sub_agent_receives_the_task_verbatim_and_its_text_is_the_result() -> None:
    tasks: list[str] = []

    async def delegate(task: str) -> str:
        tasks.append(task)
        return "Forty-two."

    context = msgspec.structs.replace(CONTEXT, delegate=delegate)
    assert await SpawnTaskTool().run(SpawnTask(" Count\nthe ants. "), context) == "Forty-two."
    assert tasks == [" Count\nthe ants. "]


async def test_refused_sub_agent_is_explained() -> None:
    async def delegate(_: str) -> str:
        raise ToolError("A sub-agent can't have one of its own")

    with pytest.raises(ToolError, match="can't have one of its own"):
        await SpawnTaskTool().run(SpawnTask("Count."), msgspec.structs.replace(CONTEXT, delegate=delegate))


def test_empty_task_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="length >= 1"):
        msgspec.json.decode(b'{"task":""}', type=SpawnTask)
