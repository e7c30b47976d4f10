"""The default Supervisor: alternates between model calls and tool calls until the model gives an answer."""

from collections.abc import AsyncGenerator

from polyant.domain.chat import SupervisorEvent, Turn
from polyant.domain.ports.supervisor import Supervisor
from polyant.domain.toolbox import Toolbox


class ToolLoopSupervisor(Supervisor):
    """Runs turns with the built-in loop of the toolbox."""

    def __init__(self, *, toolbox: Toolbox) -> None:
        self._toolbox = toolbox

    async def run(self, turn: Turn) -> AsyncGenerator[SupervisorEvent, None]:
        async with self._toolbox.open(turn) as tools:
            events = tools.loop()
            try:  # as `aclosing` does, but each turn passes here
                async for event in events:
                    yield event
            finally:
                await events.aclose()
        yield tools.finished()
