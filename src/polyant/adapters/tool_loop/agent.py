"""The loop of model calls and tool calls, for a turn or for a sub-agent."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import msgspec

from polyant.adapters.tool_loop.budget import RemainingBudget
from polyant.adapters.tool_loop.reply import Reply
from polyant.adapters.tool_loop.tool_execution import DelegateFor, ParallelToolExecution
from polyant.adapters.tool_loop.toolbox import Toolbox
from polyant.domain.chat import ModelRequest, StepFinished, TextDelta, ToolFinished, ToolStarted
from polyant.domain.ports.chat_model import ChatModel
from polyant.domain.ports.clock import Clock

AgentEvent = TextDelta | StepFinished | ToolStarted | ToolFinished


class OutOfStepsError(Exception):
    """The turn's model calls are used up."""


class Agent:
    """Calls the model, runs the tools that it calls, and repeats until the model responds without a tool call."""

    def __init__(self, model: ChatModel, toolbox: Toolbox, budget: RemainingBudget, clock: Clock) -> None:
        self._model = model
        self._clock = clock
        self.toolbox = toolbox
        self.budget = budget

    def with_tools(self, toolbox: Toolbox) -> "Agent":
        """Returns an agent with other tools that shares the turn's budget."""
        return Agent(self._model, toolbox, self.budget, self._clock)

    async def run(
        self, request: ModelRequest, delegate_for: DelegateFor, *, max_steps: int, reserve: int = 0
    ) -> AsyncGenerator[AgentEvent, None]:
        """Yields the events of the conversation.

        The last model call offers no tools; if the model calls one anyway, it is not run.

        Args:
            request: The first request.
            delegate_for: Returns the function that passes a tool's task to a sub-agent.
            max_steps: The maximum number of model calls.
            reserve: How many of the budget's model calls stay unused.

        Raises:
            OutOfStepsError: Other agents of the turn used the remaining steps.
            ProviderError: The model failed or timed out.
            TurnTimeoutError: The turn's deadline passed while tools ran.
        """
        budget = self.budget
        for step in range(1, max_steps + 1):
            last = self._take_step(reserve) or step == max_steps
            request = msgspec.structs.replace(request, tools=() if last else self.toolbox.specs)
            reply, started = Reply(), self._clock.monotonic()
            async with aclosing(self._model.generate(request)) as events:
                async for event in events:
                    reply.add(event)
                    if isinstance(event, TextDelta):
                        yield event
            budget.usage += reply.usage
            milliseconds = (self._clock.monotonic() - started) * 1_000
            yield StepFinished(usage=budget.usage, steps=budget.steps, milliseconds=milliseconds)
            calls = () if last else reply.tool_calls(request.messages)
            if not calls:
                return
            execution = ParallelToolExecution(calls, toolbox=self.toolbox, budget=budget, clock=self._clock)
            async with aclosing(execution.events(delegate_for)) as tool_events:
                async for tool_event in tool_events:
                    yield tool_event
            messages = (*request.messages, reply.message(calls), *execution.results)
            request = msgspec.structs.replace(request, messages=messages)

    def _take_step(self, reserve: int) -> bool:
        """Uses one step of the budget and returns whether it is the last one.

        Raises:
            OutOfStepsError: No step is left.
        """
        budget = self.budget
        if budget.steps_left <= reserve:
            raise OutOfStepsError
        budget.steps += 1
        return budget.steps_left <= reserve or budget.tool_calls_left <= 0
