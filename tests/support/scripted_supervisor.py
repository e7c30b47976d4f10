"""A Supervisor that runs the steps that a test scripts."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence

from polyant.domain.chat import SupervisorEvent, TextDelta, ToolFinished, ToolStarted, Turn, TurnFinished, Usage
from polyant.domain.ports.supervisor import Supervisor
from support.patience import PATIENCE, seconds

TURN_FINISHED = TurnFinished(usage=Usage(7, 5), steps=1, milliseconds=12.5)
TOOL_STARTED = ToolStarted(call_id="1", name="calculate")
TOOL_FINISHED = ToolFinished(call_id="1", name="calculate", milliseconds=3.5, ok=True)

Step = SupervisorEvent | Exception | asyncio.Event
"""An event is yielded, an exception is raised, and an asyncio.Event is awaited."""


class ScriptedSupervisor(Supervisor):
    """Runs the same steps in every turn, and records how the turns ended."""

    def __init__(self) -> None:
        self.script: Callable[[Turn], Sequence[Step]] = lambda _: says("Hello!")
        self.turns: list[Turn] = []
        """Every turn that has started."""
        self.abandoned = asyncio.Event()
        """Set when a turn was abandoned or cancelled before its last event."""
        self.running = 0
        self._begun = asyncio.Event()
        self.yielded = 0
        """The number of events consumed, over all turns."""
        self.cleanup: asyncio.Event | None = None
        """An event that an abandoned turn waits for before it ends, or None."""

    def plays(self, *steps: Step) -> None:
        """Makes every later turn run these steps."""
        self.script = lambda _: steps

    async def run(self, turn: Turn) -> AsyncGenerator[SupervisorEvent, None]:
        self.turns.append(turn)
        self.running += 1
        self._begun.set()
        try:
            for step in self.script(turn):
                match step:
                    case Exception():
                        raise step
                    case asyncio.Event():
                        await step.wait()
                    case _:
                        yield step
                        self.yielded += 1
        except (asyncio.CancelledError, GeneratorExit):
            if self.cleanup is not None:
                await self.cleanup.wait()
            self.abandoned.set()
            raise
        finally:
            self.running -= 1

    async def runs(self, count: int = 1) -> None:
        """Returns once at least `count` turns are running."""
        async with asyncio.timeout(PATIENCE):
            while self.running < count:
                self._begun.clear()
                await self._begun.wait()

    async def was_abandoned(self) -> None:
        """Returns once a turn has been abandoned, which must happen within a second."""
        async with asyncio.timeout(seconds(1)):
            await self.abandoned.wait()


def says(*texts: str) -> tuple[Step, ...]:
    """Returns the steps of a turn that streams these pieces of text."""
    return (*map(TextDelta, texts), TURN_FINISHED)
