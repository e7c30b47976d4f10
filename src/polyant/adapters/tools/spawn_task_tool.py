"""Tool that hands a task to a sub-agent."""

from typing import Annotated

import msgspec

from polyant.domain.ports.tool import Tool
from polyant.domain.secrets import SecretName
from polyant.domain.tools import ToolContext


class SpawnTask(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the sub-agent is to do."""

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
    """Has a sub-agent do one task within the turn's budgets; what it says is the result."""

    name = "spawn_task"
    description = (
        "Hands a self-contained task to a sub-agent that has a fresh context and the same tools but this one, and "
        "gives the text of its answer. Use it for work with many steps of which only the outcome matters; several "
        "calls at once run in parallel."
    )
    arguments = SpawnTask
    secrets: tuple[SecretName, ...] = ()

    async def run(self, arguments: SpawnTask, context: ToolContext) -> str:
        return await context.delegate(arguments.task)
