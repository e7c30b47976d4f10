"""Port: the agent loop of one turn."""

from abc import abstractmethod
from collections.abc import AsyncGenerator
from typing import Protocol, runtime_checkable

from polyant.domain.chat import SupervisorEvent, Turn


@runtime_checkable
class Supervisor(Protocol):
    """Runs a turn: calls the model and the tools it requests until the model gives its final answer.

    An injected `polyant.domain.toolbox.Toolbox` fulfils the duties that concern the model and the tools.
    """

    @abstractmethod
    def run(self, turn: Turn) -> AsyncGenerator[SupervisorEvent, None]:
        """Yields the turn's events as they happen; the last one is a TurnFinished.

        - The deltas after the last ToolStarted are the final answer; earlier text is intermediate.
        - A StepFinished with the totals so far follows each model call and precedes the tools that it calls.
        - Leaving or closing the generator abandons the turn: when `aclose` returns, the model call and all tools have
          ended. The caller does so at the turn's deadline at the latest, by cancelling the iterating task.
        - Later model requests of the turn repeat the `provider_data` of each message and tool call unchanged.
        - A response that the provider interrupts (`paused`) is sent back, and the model is called again to continue it.
        - The model gets the instance's system prompt, which ends with the caller's instructions, the turn's messages
          and parameters, and the instance's options.
        - The model is offered the instance's enabled and ready tools and those of its MCP servers, and no others. The
          MCP servers are open while the turn runs, and closed when it ends.
        - The model makes at most `max_steps` calls, and gets no tools in the last one. At most `max_tool_calls` tools
          run. A tool that doesn't finish in `tool_seconds` is cancelled.
        - A tool receives only the secrets that it declares, and the model sees the name of a secret instead of its
          value in the tool's result.
        - A failed tool call gives the model an error result, and the turn continues.

        Raises:
            ProviderError: The model provider failed.
            TurnTimeoutError: The turn's tools didn't finish by its deadline.
            UnavailableError: The instance can't run a turn: its provider is unknown, or its key is missing or
                unreadable.
        """
