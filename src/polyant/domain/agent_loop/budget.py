"""The remaining budget of a turn, shared with its sub-agents."""

from polyant.domain.chat import Turn, Usage


class OutOfStepsError(Exception):
    """The turn's model calls are used up."""


class RemainingBudget:
    """Counts the model calls, tool calls and tokens of a turn."""

    def __init__(self, turn: Turn) -> None:
        self._budget = turn.budget
        self.deadline = turn.deadline
        self.tool_seconds = turn.budget.tool_seconds
        self.steps = 0
        self.tool_calls = 0
        self.usage = Usage()

    @property
    def steps_left(self) -> int:
        """How many model calls may still be made."""
        return self._budget.max_steps - self.steps

    @property
    def tool_calls_left(self) -> int:
        """How many tool calls may still be made."""
        return self._budget.max_tool_calls - self.tool_calls

    def take_step(self, *, reserve: int = 0) -> bool:
        """Uses one step and returns whether it is the last one, in which the model gets no tools.

        Args:
            reserve: How many model calls stay unused.

        Raises:
            OutOfStepsError: No step is left.
        """
        left = self.steps_left - 1
        if left < reserve:
            raise OutOfStepsError
        self.steps += 1
        return left <= reserve or self.tool_calls_left <= 0
