"""The default Supervisor: alternates between model calls and tool calls until the model gives an answer."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from polyant.domain.chat import SupervisorEvent, Turn
from polyant.domain.ports.supervisor import Supervisor
from polyant.domain.toolbox import Toolbox


class ToolLoopSupervisor(Supervisor):
    """Runs turns with the built-in loop of the toolbox."""

    def __init__(self, *, toolbox: Toolbox) -> None:
        self._toolbox = toolbox

    async def run(self, turn: Turn) -> AsyncGenerator[SupervisorEvent, None]:
        async with self._toolbox.open(turn) as tools, aclosing(tools.loop()) as events:
            async for event in events:
                yield event
        yield tools.finished()
