"""Port: run one turn."""

from abc import abstractmethod
from collections.abc import AsyncGenerator
from typing import Protocol, runtime_checkable

from polyant.domain.chat import SupervisorEvent, Turn


@runtime_checkable
class Supervisor(Protocol):
    """Runs a turn: asks the model, runs the tools it calls, until there is an answer."""

    @abstractmethod
    def run(self, turn: Turn) -> AsyncGenerator[SupervisorEvent, None]:
        """Yields the turn's events as they happen; the last one is a TurnFinished.

        The text of the answer is in the deltas after the last ToolStarted; what comes before was said on the way.
        A StepFinished comes after each model call, before the tools that it calls, with the sums so far.
        Leaving or closing the generator abandons the turn: the model call and all running tools are over when `aclose`
        returns. The caller does so at the turn's deadline at the latest, by cancelling the task that iterates.
        The `provider_data` of a model's message and of its tool calls goes back with them, unchanged, in the later
        model requests of the turn.

        Raises:
            ProviderError: The model provider failed.
            TurnTimeoutError: The turn's tools didn't end by its deadline.
            UnavailableError: The instance can't run a turn: an unknown provider, a missing or unreadable key.
        """
