"""A stub of an OpenAI-compatible provider that sends constant bytes, at once or paced, with minimal CPU time.

    python -m bench.stub_upstream PORT [--pace DELTAS_PER_SECOND] [--deltas 200]

A body with `"stream":true` gets a stream of deltas with one short token each, any other a whole response. The model's
name selects the script: `deltas-300-pace-50`, `deltas-1-silent-1` (a stream that never ends), `tools-2` (tool calls
until the request contains two results). `GET /stats` returns the number of deltas written to very long streams.
"""

import argparse
import asyncio
import json
import re
import resource
from functools import lru_cache, partial
from typing import ClassVar, NamedTuple, cast

import uvloop

_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
_MODEL = re.compile(rb'"model":\s*"([^"]*)"')
_STREAM = re.compile(rb'"stream":\s*true')
_TOOL_RESULT = re.compile(rb'"role":\s*"tool"')
_MAX_WITHOUT_FLOW_CONTROL = 1_000
"""The longest stream, in deltas, that is written without flow control."""
_BATCH = 50
"""The number of deltas between two checks of flow control."""

_TOOL_CALLS = (("calculate", '{"expression": "19.99 * 3 + 5"}'), ("current_time", "{}"))


class Script(NamedTuple):
    """The script of a response."""

    deltas: int
    pace: int = 0
    silent: int = 0
    tools: int = 0


@lru_cache
def script_of(model: str, default: Script) -> Script:
    """Returns the script that the model's name describes; missing parts come from the default."""
    words = model.split("-")
    named = {name: int(value) for name, value in zip(words[::2], words[1::2], strict=False) if name in Script._fields}
    return default._replace(**named)


def _chunked(body: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(body), body)


def _event(delta: dict[str, object], finish: str | None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    chunk = {
        "id": "chatcmpl-stub",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "stub",
        "choices": [choice],
    }
    return b"data: %b\n\n" % json.dumps(chunk, separators=(",", ":")).encode()


def _whole(message: dict[str, object], finish: str) -> bytes:
    completion = {
        "id": "chatcmpl-stub",
        "object": "chat.completion",
        "created": 1,
        "model": "stub",
        "choices": [{"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 4, "total_tokens": 9},
    }
    return _json_response(json.dumps(completion, separators=(",", ":")).encode())


def _json_response(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


def _tool_call(number: int) -> dict[str, object]:
    name, arguments = _TOOL_CALLS[number % len(_TOOL_CALLS)]
    function = {"name": name, "arguments": arguments}
    return {
        "content": None,
        "tool_calls": [{"index": 0, "id": f"call_{number}", "type": "function", "function": function}],
    }


# Two alternating texts: LiteLLM treats a hundred identical ones as a model stuck in a loop.
_DELTAS = tuple(_chunked(_event({"content": text}, None)) for text in ("token ", "Token "))
_STOP = _chunked(_event({}, "stop") + b"data: [DONE]\n\n") + b"0\r\n\r\n"
_TEXT = _whole({"content": "Hello from the stub"}, "stop")


def _deltas(number: int) -> bytes:
    return b"".join(_DELTAS) * (number // 2) + _DELTAS[0] * (number % 2)


@lru_cache
def _stream(deltas: int) -> bytes:
    return _HEAD + _deltas(deltas) + _STOP


_SOME_DELTAS = _deltas(_BATCH)


@lru_cache
def _calling(number: int, *, streaming: bool) -> bytes:
    if not streaming:
        return _whole(_tool_call(number), "tool_calls")
    last = _chunked(_event({}, "tool_calls") + b"data: [DONE]\n\n") + b"0\r\n\r\n"
    return _HEAD + _chunked(_event(_tool_call(number), None)) + last


class Stub(asyncio.Protocol):
    """One connection, which handles one request after another."""

    deltas_pumped: ClassVar[int] = 0

    def __init__(self, default: Script) -> None:
        self._default = default
        self._received = b""
        self._next_delta: asyncio.Handle | None = None
        self._to_pump = 0
        self._is_paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._to_pump = 0
        if self._next_delta is not None:
            self._next_delta.cancel()

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            head = self._received[:end].lower()
            at = head.find(b"content-length:")
            length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(self._received) < end + 4 + length:
                return
            body = self._received[end + 4 : end + 4 + length]
            self._received = self._received[end + 4 + length :]
            self._respond(head, body)

    def pause_writing(self) -> None:
        self._is_paused = True

    def resume_writing(self) -> None:
        self._is_paused = False
        self._pump()

    def _respond(self, head: bytes, body: bytes) -> None:
        if head.startswith(b"get "):
            self._transport.write(_json_response(b'{"deltas":%d}' % Stub.deltas_pumped))
            return
        named = _MODEL.search(body)
        script = script_of(named[1].decode() if named else "", self._default)
        streaming = _STREAM.search(body) is not None
        if script.tools and (number := len(_TOOL_RESULT.findall(body))) < script.tools:
            self._transport.write(_calling(number, streaming=streaming))
        elif not streaming:
            self._transport.write(_TEXT)
        else:
            self._begin_stream(script)

    def _begin_stream(self, script: Script) -> None:
        if script.silent:
            self._transport.write(_HEAD + _deltas(script.deltas))
        elif script.pace:
            self._transport.write(_HEAD)
            self._trickle(script, asyncio.get_running_loop().time(), 0)
        elif script.deltas > _MAX_WITHOUT_FLOW_CONTROL:
            self._transport.write(_HEAD)
            self._to_pump = script.deltas
            self._pump()
        else:
            self._transport.write(_stream(script.deltas))

    def _trickle(self, script: Script, started: float, number: int) -> None:
        if number == script.deltas:
            self._transport.write(_STOP)
            return
        self._transport.write(_DELTAS[number % 2])
        due = started + (number + 1) / script.pace
        self._next_delta = asyncio.get_running_loop().call_at(due, self._trickle, script, started, number + 1)

    def _pump(self) -> None:
        while self._to_pump > 0 and not self._is_paused:
            self._transport.write(_SOME_DELTAS)
            Stub.deltas_pumped += _BATCH
            self._to_pump -= _BATCH
            if self._to_pump <= 0:
                self._transport.write(_STOP)


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--pace", type=int, default=0)
    parser.add_argument("--deltas", type=int, default=200)
    args = parser.parse_args()
    max_files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (max_files, max_files))
    make = partial(Stub, Script(args.deltas, args.pace))
    server = await asyncio.get_running_loop().create_server(make, "127.0.0.1", args.port, backlog=4_096)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
