"""Sub-agents: each works on one task of a turn, in a separate conversation."""

from collections.abc import Callable, Sequence
from contextlib import aclosing

import msgspec

from polyant.domain.agent_loop.agent import Agent
from polyant.domain.agent_loop.budget import OutOfStepsError
from polyant.domain.agent_loop.guarded_tools import Delegate
from polyant.domain.agent_loop.tool_execution import ToolExecution
from polyant.domain.chat import (
    AssistantMessage,
    CallRecorder,
    ModelRequest,
    StepFinished,
    ToolCall,
    ToolFinished,
    ToolResult,
    ToolSpec,
    UserMessage,
)
from polyant.domain.errors import PolyantError
from polyant.domain.final_text import FinalText
from polyant.domain.instances import JsonObject
from polyant.domain.recorded_content import StepContent, ToolContent
from polyant.domain.system_prompt import SEPARATOR
from polyant.domain.tools import ToolError

_MAX_STEPS = 10
_INSTRUCTIONS = (
    "# Your task\n\n"
    "You work on one task for another assistant, who sees nothing but your final answer. Do the task, then answer with "
    "its result alone: complete, and without asking back."
)


class SubAgents:
    """Creates the sub-agents of a turn.

    Args:
        request: The first request of the turn.
        agent: The turn's own agent.
        compose: Returns the system prompt for a set of tools.
    """

    def __init__(self, request: ModelRequest, agent: Agent, compose: Callable[[Sequence[ToolSpec]], str]) -> None:
        self._request = request
        self._agent = agent
        self._compose = compose

    def delegate_for(self, execution: ToolExecution) -> Delegate:
        """Returns a function that runs a task in a sub-agent with all tools except the one that delegates."""

        async def delegate(task: str) -> str:
            execution.deadline = self._agent.budget.deadline  # each of the sub-agent's tools has a timeout of its own
            tools = self._agent.tools.without(execution.call.name)
            system = f"{self._compose(tools.specs)}{SEPARATOR}{_INSTRUCTIONS}"
            recorder = None if self._agent.recorder is None else _SubAgentRecorder(self._agent.recorder)
            messages = (UserMessage.of(task),)
            fields = msgspec.structs.replace(self._request.provider_fields, response_format=None)
            request = msgspec.structs.replace(
                self._request,
                system=system,
                caller_section="",
                messages=messages,
                stream=False,
                provider_fields=fields,
                options=_address_options(self._request.options),
            )
            return await _final_text(self._agent.with_tools(tools, recorder=recorder), request)

        return delegate


class _SubAgentRecorder(CallRecorder):
    """Marks the calls of a sub-agent, all of which are reported: its events aren't those of the turn."""

    def __init__(self, recorder: CallRecorder) -> None:
        self._recorder = recorder

    @property
    def records_text(self) -> bool:
        return self._recorder.records_text

    def report(self, event: StepFinished | ToolFinished) -> None:
        self._recorder.report(msgspec.structs.replace(event, sub_agent=True))

    def step_content(self, request: ModelRequest, reply: AssistantMessage, finish_reason: str) -> StepContent | None:
        return self._recorder.step_content(request, reply, finish_reason)

    def tool_content(self, call: ToolCall, result: ToolResult) -> ToolContent | None:
        return self._recorder.tool_content(call, result)


def _address_options(options: JsonObject) -> JsonObject:
    """Returns the options without the request fields, which are meant for the turn's own answers.

    The options that belong to the provider's address stay, because no call works without them.
    """
    return {name: value for name, value in options.items() if name != "body"}


async def _final_text(agent: Agent, request: ModelRequest) -> str:
    """Returns the agent's final text; one step of the budget is reserved for the turn's own answer."""
    final = FinalText()
    try:
        async with aclosing(agent.run(request, _no_delegate, max_steps=_MAX_STEPS, reserve=1)) as events:
            async for event in events:
                final.add(event)
                if agent.recorder is not None and isinstance(event, StepFinished | ToolFinished):
                    agent.recorder.report(event)
    except OutOfStepsError:
        raise ToolError("No sub-agent can work any more: the turn's steps are used up. Answer now.") from None
    except PolyantError as error:
        raise ToolError(f"The sub-agent failed: {error.message}") from None
    return final.text


def _no_delegate(_: ToolExecution) -> Delegate:
    return _refuse


async def _refuse(_: str) -> str:
    raise ToolError("A sub-agent has no sub-agents of its own.")
