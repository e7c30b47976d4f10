"""Tool that passes a task to a sub-agent."""

from typing import Annotated

import msgspec

from polyant.domain.ports.tool import Tool
from polyant.domain.secrets import SecretName
from polyant.domain.tools import ToolContext


class SpawnTask(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Arguments of a sub-agent."""

    task: Annotated[
        str,
        msgspec.Meta(
            description=(
                "The whole task: the goal, every fact the sub-agent needs (it sees nothing of this conversation), "
                "and the form its answer should have."
            ),
            min_length=1,
            max_length=32_768,
        ),
    ]


class SpawnTaskTool(Tool):
    """Runs one task in a sub-agent within the turn's budget; the sub-agent's final text is the result."""

    name = "spawn_task"
    description = (
        "Passes a self-contained task to a sub-agent that has a fresh context and the same tools except this one, and "
        "returns the text of its answer. Use it for work with many steps of which only the outcome matters; several "
        "calls at once run in parallel."
    )
    arguments = SpawnTask
    secrets: tuple[SecretName, ...] = ()

    async def run(self, arguments: SpawnTask, context: ToolContext) -> str:
        return await context.delegate(arguments.task)
