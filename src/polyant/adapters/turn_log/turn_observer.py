"""Records every turn in the turn log."""

from polyant.domain.chat import StepFinished, ToolFinished
from polyant.domain.ports.turn_log import TurnLog
from polyant.domain.ports.turn_observer import TurnObserver, unobserved
from polyant.domain.turn_records import ObservedTurn, TurnRecord


class TurnLogTurnObserver(TurnObserver):
    """Passes the records of turns to the configured TurnLog."""

    def __init__(self, *, turn_log: TurnLog) -> None:
        self._turn_log = turn_log

    @unobserved
    async def turn_started(self, turn: ObservedTurn) -> None:
        """Does nothing: the log contains finished turns."""

    @unobserved
    async def step_finished(self, turn: ObservedTurn, step: StepFinished, *, elapsed: float) -> None:
        """Does nothing: the record has the totals of all steps."""

    @unobserved
    async def tool_finished(self, turn: ObservedTurn, tool: ToolFinished, *, elapsed: float) -> None:
        """Does nothing: the record has the number of tool calls."""

    async def turn_finished(self, turn: ObservedTurn, record: TurnRecord) -> None:
        self._turn_log.note(record)
