"""The loop of model calls and tool calls, for a turn or for a sub-agent."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import msgspec

from polyant.domain.agent_loop.budget import RemainingBudget
from polyant.domain.agent_loop.guarded_tools import GuardedTools
from polyant.domain.agent_loop.model_step import ModelStep
from polyant.domain.agent_loop.tool_execution import DelegateFor, ParallelToolExecution
from polyant.domain.chat import (
    CallRecorder,
    ModelRequest,
    StepFinished,
    TextDelta,
    ToolCall,
    ToolFinished,
    ToolStarted,
)
from polyant.domain.ports.chat_model import ChatModel
from polyant.domain.ports.clock import Clock

AgentEvent = TextDelta | StepFinished | ToolStarted | ToolFinished


class Agent:
    """Calls the model, runs the tools that it calls, and repeats until the model has finished its response.

    Args:
        model: The model.
        tools: The tools.
        budget: The turn's budget.
        clock: Measures durations.
        recorder: Reports failed model calls, and renders the text of the calls; None if no observer asks for it.
    """

    def __init__(
        self,
        model: ChatModel,
        tools: GuardedTools,
        budget: RemainingBudget,
        clock: Clock,
        *,
        recorder: CallRecorder | None = None,
    ) -> None:
        self._model = model
        self._clock = clock
        self.tools = tools
        self.budget = budget
        self.recorder = recorder

    def with_tools(self, tools: GuardedTools, *, recorder: CallRecorder | None) -> "Agent":
        """Returns an agent with other tools that shares the turn's budget.

        Args:
            tools: The tools.
            recorder: The recorder of its calls.
        """
        return Agent(self._model, tools, self.budget, self._clock, recorder=recorder)

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
        for number in range(1, max_steps + 1):
            step = self.step(request, last=number == max_steps, reserve=reserve)
            events = step.events()
            try:  # as `aclosing` does, but each turn passes here
                async for event in events:
                    step.add(event)
                    if isinstance(event, TextDelta):
                        yield event
            except BaseException as error:
                step.report_failure(error)
                raise
            finally:
                await events.aclose()
            yield step.finish()
            if step.is_final:
                return
            execution = self.execution(step.calls)
            async with aclosing(execution.events(delegate_for)) as tool_events:
                async for tool_event in tool_events:
                    yield tool_event
            messages = (*request.messages, step.message, *execution.results)
            request = msgspec.structs.replace(request, messages=messages)

    def step(self, request: ModelRequest, *, last: bool = False, reserve: int = 0) -> ModelStep:
        """Returns the next model call, which takes one step of the budget.

        Args:
            request: The request, without its tools.
            last: Whether the model gets no tools, as in the budget's last step.
            reserve: How many of the budget's model calls stay unused.

        Raises:
            OutOfStepsError: No step is left.
        """
        last = self.budget.take_step(reserve=reserve) or last
        tools = () if last else self.tools.specs
        if tools:
            request = msgspec.structs.replace(request, tools=tools)
        return ModelStep(self._model, request, last=last, budget=self.budget, clock=self._clock, recorder=self.recorder)

    def execution(self, calls: tuple[ToolCall, ...]) -> ParallelToolExecution:
        """Returns the execution of tool calls, within the budget."""
        return ParallelToolExecution(
            calls, tools=self.tools, budget=self.budget, clock=self._clock, recorder=self.recorder
        )
