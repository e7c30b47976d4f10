"""What a turn may still spend; its sub-agents spend from the same purse."""

from polyant.domain.chat import Usage
from polyant.domain.limits import TurnBudget
from polyant.domain.ports.clock import Clock


class Purse:
    """Counts what a turn spends."""

    def __init__(self, budget: TurnBudget, *, started: float) -> None:
        """Takes the budget and the Clock's `monotonic` seconds at which the turn began."""
        self._budget = budget
        self._started = started
        self.deadline = started + budget.turn_seconds
        self.tool_seconds = budget.tool_seconds
        self.steps = 0
        self.tool_calls = 0
        self.usage = Usage()

    @property
    def steps_left(self) -> int:
        """How many model calls may still be made."""
        return self._budget.max_steps - self.steps

    @property
    def tool_calls_left(self) -> int:
        """How many tools may still be called."""
        return self._budget.max_tool_calls - self.tool_calls

    def milliseconds(self, clock: Clock) -> float:
        """Returns how long the turn has run."""
        return (clock.monotonic() - self._started) * 1_000
