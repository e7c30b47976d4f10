"""A Supervisor with a loop of its own, on the injected toolbox, as a third-party package would write one."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial

from polyant.domain.chat import SupervisorEvent, Turn
from polyant.domain.ports.supervisor import Supervisor
from polyant.domain.toolbox import Toolbox, TurnToolbox


class ToolboxSupervisor(Supervisor):
    def __init__(self, *, toolbox: Toolbox) -> None:
        self._toolbox = toolbox

    async def run(self, turn: Turn) -> AsyncGenerator[SupervisorEvent, None]:
        async with self._toolbox.open(turn) as tools, aclosing(tools.events(partial(converse, tools))) as events:
            async for event in events:
                yield event


async def converse(tools: TurnToolbox) -> None:
    messages = list(tools.request.messages)
    while (reply := await tools.ask(messages)).tool_calls:
        results = await asyncio.gather(*map(tools.call, reply.tool_calls))
        messages += [reply, *results]
