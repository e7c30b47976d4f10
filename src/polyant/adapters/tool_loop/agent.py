"""One conversation with a model and its tools, step by step: a turn's own, or a sub-agent's."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import msgspec

from polyant.adapters.tool_loop.budget import RemainingBudget
from polyant.adapters.tool_loop.reply import Reply
from polyant.adapters.tool_loop.tool_runs import DelegateFor, ToolRuns
from polyant.adapters.tool_loop.toolbox import Toolbox
from polyant.domain.chat import ModelRequest, StepFinished, TextDelta, ToolFinished, ToolStarted
from polyant.domain.ports.chat_model import ChatModel
from polyant.domain.ports.clock import Clock

AgentEvent = TextDelta | StepFinished | ToolStarted | ToolFinished


class OutOfStepsError(Exception):
    """No model call was left to make."""


class Agent:
    """Asks the model, runs the tools it calls, and asks again, until it answers without calling any."""

    def __init__(self, model: ChatModel, toolbox: Toolbox, budget: RemainingBudget, clock: Clock) -> None:
        self._model = model
        self._clock = clock
        self.toolbox = toolbox
        self.budget = budget

    def with_tools(self, toolbox: Toolbox) -> "Agent":
        """Returns an agent that has other tools and shares the turn's budget."""
        return Agent(self._model, toolbox, self.budget, self._clock)

    async def run(
        self, request: ModelRequest, delegate_for: DelegateFor, *, max_steps: int, reserve: int = 0
    ) -> AsyncGenerator[AgentEvent, None]:
        """Yields what happens; makes at most `max_steps` model calls and leaves `reserve` of the budget's to others.

        The last call is made without tools, and tools that the model calls then all the same are not run.

        Raises:
            OutOfStepsError: Others spent what was left.
            ProviderError: The model failed, or took too long.
            TurnTimeoutError: The turn's time ended while tools ran.
        """
        budget = self.budget
        for step in range(1, max_steps + 1):
            last = self._take_step(reserve) or step == max_steps
            request = msgspec.structs.replace(request, tools=() if last else self.toolbox.specs)
            reply, started = Reply(), self._clock.monotonic()
            async with aclosing(self._model.generate(request)) as events:
                async for event in events:
                    reply.take(event)
                    if isinstance(event, TextDelta):
                        yield event
            budget.usage += reply.usage
            milliseconds = (self._clock.monotonic() - started) * 1_000
            yield StepFinished(usage=budget.usage, steps=budget.steps, milliseconds=milliseconds)
            calls = () if last else reply.calls_beside(request.messages)
            if not calls:
                return
            runs = ToolRuns(calls, toolbox=self.toolbox, budget=budget, clock=self._clock)
            async with aclosing(runs.events(delegate_for)) as tool_events:
                async for tool_event in tool_events:
                    yield tool_event
            messages = (*request.messages, reply.message(calls), *runs.results)
            request = msgspec.structs.replace(request, messages=messages)

    def _take_step(self, reserve: int) -> bool:
        """Takes a step from the budget and returns whether no other can follow it.

        Raises:
            OutOfStepsError: There is none.
        """
        budget = self.budget
        if budget.steps_left <= reserve:
            raise OutOfStepsError
        budget.steps += 1
        return budget.steps_left <= reserve or budget.tool_calls_left <= 0
