"""Has tasks of a turn done by sub-agents, each in a conversation of its own."""

from collections.abc import Callable, Sequence
from contextlib import aclosing

import msgspec

from polyant.adapters.tool_loop.agent import Agent, OutOfStepsError
from polyant.adapters.tool_loop.tool_runs import ToolRun
from polyant.adapters.tool_loop.toolbox import Delegate
from polyant.domain.chat import ModelRequest, TextDelta, ToolSpec, ToolStarted, UserMessage
from polyant.domain.errors import PolyantError
from polyant.domain.system_prompt import SEPARATOR
from polyant.domain.tools import ToolError

_MAX_STEPS = 10
_INSTRUCTIONS = (
    "# Your task\n\n"
    "You work on one task for another assistant, who sees nothing but your final answer. Do the task, then answer with "
    "its result alone: complete, and without asking back."
)


class SubAgents:
    """Makes sub-agents of a turn's agent."""

    def __init__(self, request: ModelRequest, agent: Agent, compose: Callable[[Sequence[ToolSpec]], str]) -> None:
        """Takes the first request of the turn, the agent that it is for, and what composes a prompt for tools."""
        self._request = request
        self._agent = agent
        self._compose = compose

    def delegate_for(self, run: ToolRun) -> Delegate:
        """Returns what hands a task of that tool's run to a sub-agent, which has all tools but that one."""

        async def delegate(task: str) -> str:
            run.deadline = self._agent.budget.deadline  # the sub-agent's tools keep their own time
            toolbox = self._agent.toolbox.without(run.call.name)
            system = f"{self._compose(toolbox.specs)}{SEPARATOR}{_INSTRUCTIONS}"
            messages = (UserMessage.of(task),)
            request = msgspec.structs.replace(self._request, system=system, messages=messages, stream=False)
            return await _answer(self._agent.with_tools(toolbox), request)

        return delegate


async def _answer(agent: Agent, request: ModelRequest) -> str:
    """Returns what the agent says at last; one step of the budget is left for the turn's own answer."""
    texts: list[str] = []
    try:
        async with aclosing(agent.run(request, _no_delegate, max_steps=_MAX_STEPS, reserve=1)) as events:
            async for event in events:
                match event:
                    case TextDelta():
                        texts.append(event.text)
                    case ToolStarted():
                        texts.clear()
    except OutOfStepsError:
        raise ToolError("No sub-agent can work any more: the turn's steps are used up. Answer now.") from None
    except PolyantError as error:
        raise ToolError(f"The sub-agent failed: {error.message}") from None
    return "".join(texts)


def _no_delegate(_: ToolRun) -> Delegate:
    return _refuse


async def _refuse(_: str) -> str:
    raise ToolError("A sub-agent has no sub-agents of its own.")
