"""LangGraph's agent, created by LangChain's create_agent."""

from importlib.metadata import version
from typing import Any

from langchain.agents import create_agent
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI

from clients.driving import Call, drive, message_in_body


def _agent(call: Call, tools: list[Any] | None = None) -> Any:
    model = ChatOpenAI(
        base_url=call.base_url, api_key=call.key, model=call.model, stream_usage=call.usage, **call.patience
    )
    return create_agent(model, tools or [])


def _input(call: Call) -> dict[str, Any]:
    return {"messages": call.messages}


def _usage(message: Any) -> list[int] | None:
    usage = message.usage_metadata
    return None if usage is None else [usage["input_tokens"], usage["output_tokens"]]


def _seen(state: dict[str, Any]) -> dict[str, Any]:
    message = state["messages"][-1]
    finish = message.response_metadata["finish_reason"]
    return {"text": message.content, "finish": finish, "usage": _usage(message)}


def _take(call: Call, chunk: Any, seen: dict[str, Any]) -> bool:
    if chunk.usage_metadata is not None:
        seen["usage"] = _usage(chunk)
    return call.report(chunk.content)


def answer(call: Call) -> dict[str, Any]:
    return _seen(_agent(call).invoke(_input(call)))


async def answer_async(call: Call) -> dict[str, Any]:
    return _seen(await _agent(call).ainvoke(_input(call)))


def stream(call: Call) -> dict[str, Any]:
    seen: dict[str, Any] = {}
    for chunk, _ in _agent(call).stream(_input(call), stream_mode="messages"):
        if _take(call, chunk, seen):
            break
    return seen


async def stream_async(call: Call) -> dict[str, Any]:
    seen: dict[str, Any] = {}
    chunks = _agent(call).astream(_input(call), stream_mode="messages")
    async for chunk, _ in chunks:
        if _take(call, chunk, seen):
            await chunks.aclose()
            break
    return seen


def tools(call: Call) -> dict[str, Any]:
    calls = []

    def multiply(a: int, b: int) -> int:
        """Multiplies two numbers."""
        calls.append((a, b))
        return a * b

    return {**_seen(_agent(call, [tool(multiply)]).invoke(_input(call))), "calls": len(calls)}


if __name__ == "__main__":
    found = f"{version('langchain')}, langgraph {version('langgraph')}"
    verbs = (answer, answer_async, stream, stream_async, tools)
    drive(found, {verb.__name__: verb for verb in verbs}, message_of=message_in_body)
