"""LangChain's ChatOpenAI."""

from importlib.metadata import version
from typing import Any

from langchain_core.messages import BaseMessage
from langchain_openai import ChatOpenAI

from clients.driving import Call, drive, message_in_body


def _model(call: Call) -> ChatOpenAI:
    return ChatOpenAI(
        base_url=call.base_url, api_key=call.key, model=call.model, stream_usage=call.usage, **call.patience
    )


def _seen(message: BaseMessage) -> dict[str, Any]:
    return {
        "text": message.content,
        "role": "assistant" if message.type == "ai" else message.type,
        "finish": message.response_metadata["finish_reason"],
        "usage": _usage(message),
    }


def _usage(message: Any) -> list[int] | None:
    usage = message.usage_metadata
    return None if usage is None else [usage["input_tokens"], usage["output_tokens"]]


def _take(call: Call, chunk: Any, seen: dict[str, Any]) -> bool:
    if chunk.usage_metadata is not None:
        seen["usage"] = _usage(chunk)
    if "finish_reason" in chunk.response_metadata:
        seen["finish"] = chunk.response_metadata["finish_reason"]
    return call.report(chunk.content)


def answer(call: Call) -> dict[str, Any]:
    return _seen(_model(call).invoke(call.messages))


async def answer_async(call: Call) -> dict[str, Any]:
    return _seen(await _model(call).ainvoke(call.messages))


def answer_batch(call: Call) -> dict[str, Any]:
    first, second = _model(call).batch([call.messages, call.messages])
    assert first.content == second.content
    return _seen(second)


def stream(call: Call) -> dict[str, Any]:
    seen: dict[str, Any] = {}
    for chunk in _model(call).stream(call.messages):
        if _take(call, chunk, seen):
            break
    return seen


async def stream_async(call: Call) -> dict[str, Any]:
    seen: dict[str, Any] = {}
    chunks = _model(call).astream(call.messages)
    async for chunk in chunks:
        if _take(call, chunk, seen):
            await chunks.aclose()
            break
    return seen


if __name__ == "__main__":
    verbs = (answer, answer_async, answer_batch, stream, stream_async)
    drive(version("langchain-openai"), {verb.__name__: verb for verb in verbs}, message_of=message_in_body)
