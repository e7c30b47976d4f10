"""The lower bound to measure against: a bare ASGI relay that only decodes the upstream's deltas and encodes its own.

STUB=http://127.0.0.1:PORT uvicorn bench.bare_relay:app --port PORT
"""

import os
from typing import Any

import aiohttp
import msgspec

_UPSTREAM = os.environ["STUB"] + "/v1/chat/completions"
_HEAD = (
    b'data: {"id":"chatcmpl-0","object":"chat.completion.chunk","created":1,"model":"bare",'
    b'"choices":[{"index":0,"delta":{"content":'
)
_TAIL = b'},"finish_reason":null}]}\n\n'


class _Message(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    delta: _Message | None = None
    message: _Message | None = None


class _Body(msgspec.Struct):
    choices: list[_Choice]


class _Request(msgspec.Struct):
    model: str
    messages: list[dict[str, str]]
    stream: bool = False


_decode_request = msgspec.json.Decoder(_Request).decode
_decode = msgspec.json.Decoder(_Body).decode
_encode = msgspec.json.encode
_session: aiohttp.ClientSession


async def app(scope: Any, receive: Any, send: Any) -> None:
    global _session  # noqa: PLW0603 - one session per process, created inside its loop
    if scope["type"] == "lifespan":
        await receive()
        _session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await _session.close()
        await send({"type": "lifespan.shutdown.complete"})
        return
    if scope["path"] == "/health":
        await _start(send, b"text/plain")
        await send({"type": "http.response.body"})
        return
    body = b""
    while True:
        message = await receive()
        body += message["body"]
        if not message.get("more_body"):
            break
    request = _decode_request(body)
    upstream = _encode({"model": request.model, "messages": request.messages, "stream": request.stream})
    async with _session.post(_UPSTREAM, data=upstream, headers={"Content-Type": "application/json"}) as response:
        if request.stream:
            await _relay(response, send)
        else:
            completion = _decode(await response.read())
            await _start(send, b"application/json")
            await send({"type": "http.response.body", "body": _encode(completion)})


async def _relay(response: aiohttp.ClientResponse, send: Any) -> None:
    await _start(send, b"text/event-stream")
    rest = b""
    async for chunk in response.content.iter_any():
        *events, rest = (rest + chunk).split(b"\n\n")
        for event in events:
            if event != b"data: [DONE]":
                delta = _decode(event[6:]).choices[0].delta
                text = delta.content if delta else None
                if text:
                    await send({"type": "http.response.body", "body": _HEAD + _encode(text) + _TAIL, "more_body": True})
    await send({"type": "http.response.body", "body": b"data: [DONE]\n\n"})


async def _start(send: Any, content_type: bytes) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", content_type)]})
