"""The provider of the soak: the requested model selects its behaviour.

python -m bench.soak_upstream PORT
"""

import argparse
import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from aiohttp import web

TEXTS: Mapping[str, str] = {
    "fast": "token " * 200,
    "paced": "token " * 100,
    "slow": "At last.",
    "tools": "The tool says: 42",
}
"""The texts of models with a constant response."""

_PACE_SECONDS = 0.02
_SLOW_SECONDS = 3.0
_VERSION = re.compile(r"Version [0-9]+")

Delta = dict[str, Any]


class Answer(NamedTuple):
    """The deltas of a response."""

    deltas: Sequence[Delta]
    finish_reason: str = "stop"


def main() -> None:
    """Serves until it is stopped."""
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    app = web.Application()
    app.router.add_get("/", _ready)
    app.router.add_post("/v1/chat/completions", _respond)
    web.run_app(app, host="127.0.0.1", port=parser.parse_args().port, print=None, access_log=None)


async def _ready(_: web.Request) -> web.Response:
    return web.Response(text="ready")


async def _respond(request: web.Request) -> web.StreamResponse:
    body = await request.json(loads=msgspec.json.decode)
    model: str = body["model"]
    match model:
        case "broken":
            return web.Response(status=500, text="secret details of the provider")
        case "throttled":
            return web.Response(status=429, headers={"Retry-After": "30"})
        case "slow":
            await asyncio.sleep(_SLOW_SECONDS)
    answer = _answer(model, body["messages"])
    try:
        if body.get("stream"):
            return await _stream(request, answer, model)
        return await _whole(request, answer, model)
    except ConnectionError:  # the engine has cancelled the turn
        return web.Response()


def _answer(model: str, messages: Sequence[dict[str, Any]]) -> Answer:
    if model == "tools":
        return _answer_with_tool(messages[-1])
    if model == "prompt":
        version = _VERSION.search(messages[0]["content"])
        return Answer([{"content": version[0] if version else "no version"}])
    if model == "flood":
        return Answer([{"content": "x" * 65_536}] * 128)
    text = TEXTS.get(model, TEXTS["fast"])
    return Answer([{"content": piece} for piece in re.findall(r"\S+\s*", text)])


def _answer_with_tool(last: Mapping[str, Any]) -> Answer:
    if last["role"] == "tool":
        return Answer([{"content": "The tool says: "}, {"content": last["content"]}])
    function = {"name": "calculate", "arguments": '{"expression": "20 * 2 + 2"}'}
    call = {"index": 0, "id": "call_1", "type": "function", "function": function}
    return Answer([{"tool_calls": [call]}], "tool_calls")


async def _stream(request: web.Request, answer: Answer, model: str) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    events = [_event(delta) for delta in answer.deltas]
    if model == "paced":
        for event in events:
            await response.write(event)
            await asyncio.sleep(_PACE_SECONDS)
    elif model == "cut":
        await response.write(b"".join(events[: len(events) // 2]))
        return _cut(request, response)
    else:
        await response.write(b"".join(events))
    await response.write(_event({}, answer.finish_reason) + b"data: [DONE]\n\n")
    await response.write_eof()
    return response


async def _whole(request: web.Request, answer: Answer, model: str) -> web.StreamResponse:
    message: Delta = {"role": "assistant", "content": "".join(delta.get("content", "") for delta in answer.deltas)}
    if answer.finish_reason == "tool_calls":
        message |= answer.deltas[0]
    choice = {"index": 0, "message": message, "finish_reason": answer.finish_reason}
    body = _encoded("chat.completion", choice)
    if model != "cut":
        return web.Response(body=body, content_type="application/json")
    response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": str(len(body))})
    await response.prepare(request)
    await response.write(body[: len(body) // 2])
    return _cut(request, response)


def _cut(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    """Closes the connection in the middle of the response, after sending what was written."""
    if request.transport is not None:
        request.transport.close()
    return response


def _event(delta: Delta, finish_reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return b"data: " + _encoded("chat.completion.chunk", choice) + b"\n\n"


def _encoded(kind: str, choice: Mapping[str, Any]) -> bytes:
    return msgspec.json.encode(
        {"id": "chatcmpl-soak", "object": kind, "created": 1, "model": "soak", "choices": [choice]}
    )


if __name__ == "__main__":
    main()
