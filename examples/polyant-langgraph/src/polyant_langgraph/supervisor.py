"""Supervisor that runs turns as a LangGraph: a node that calls the model, and one that runs the tools that it calls."""

import asyncio
import operator
from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial
from typing import Annotated, TypedDict

from langgraph.graph import END, START, StateGraph

from polyant.domain.chat import AssistantMessage, ModelMessage, SupervisorEvent, Turn
from polyant.domain.ports.supervisor import Supervisor
from polyant.domain.toolbox import Toolbox, TurnToolbox

_MAX_NODES = 10_000
"""The turn's own limits end it earlier."""


class State(TypedDict):
    """The state of the graph: the conversation, to which each node adds its messages."""

    messages: Annotated[list[ModelMessage], operator.add]


class LangGraphSupervisor(Supervisor):
    """Builds a graph for each turn. Its nodes see the toolbox of the turn, and neither keys nor secrets."""

    def __init__(self, *, toolbox: Toolbox) -> None:
        self._toolbox = toolbox

    async def run(self, turn: Turn) -> AsyncGenerator[SupervisorEvent, None]:
        async with self._toolbox.open(turn) as tools, aclosing(tools.events(partial(_run_graph, tools))) as events:
            async for event in events:
                yield event


async def _run_graph(tools: TurnToolbox) -> None:
    async def model(state: State) -> State:
        return {"messages": [await tools.ask(state["messages"])]}

    async def run_tools(state: State) -> State:
        calls = _last_reply(state).tool_calls
        return {"messages": list(await asyncio.gather(*map(tools.call, calls)))}

    def route(state: State) -> str:
        return "tools" if _last_reply(state).tool_calls else END

    graph = StateGraph(State)
    graph.add_node("model", model)
    graph.add_node("tools", run_tools)
    graph.add_edge(START, "model")
    graph.add_conditional_edges("model", route, ["tools", END])
    graph.add_edge("tools", "model")
    first: State = {"messages": list(tools.request.messages)}
    await graph.compile().ainvoke(first, {"recursion_limit": _MAX_NODES})


def _last_reply(state: State) -> AssistantMessage:
    reply = state["messages"][-1]
    assert isinstance(reply, AssistantMessage)
    return reply
