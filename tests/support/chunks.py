"""The chunks of a streamed chat completion."""

import re
from typing import Any

import msgspec

from polyant.domain.errors import ProviderError, ProviderFailure
from support.asgi import Exchange

DONE = b"data: [DONE]\n\n"
PING = b": ping\n\n"
FAILURE = ProviderError("openai", ProviderFailure.UNREACHABLE)
FAILURE_EVENT = (
    b'data: {"error":{"statusCode":502,"message":"The model provider failed to answer (openai: unreachable)",'
    b'"error":"Bad Gateway"}}\n\n'
)


def chunk(head: bytes, choices: bytes, more: bytes = b"") -> bytes:
    return b"data: {" + head + b',"choices":[' + choices + b"]" + more + b"}\n\n"


def delta(delta: bytes, finish_reason: bytes = b"null") -> bytes:
    return b'{"index":0,"delta":' + delta + b',"finish_reason":' + finish_reason + b"}"


def content(text: str) -> bytes:
    return delta(b'{"content":' + msgspec.json.encode(text) + b"}")


ROLE = delta(b'{"role":"assistant"}')
FINISH = delta(b"{}", b'"stop"')


def head_of(first: bytes) -> bytes:
    """Returns the fields that all chunks of a stream share: id, object, created and model."""
    match = re.match(
        rb'data: \{("id":"chatcmpl-[0-9a-f]{24}","object":"chat\.completion\.chunk","created":\d+,"model":"demo-bot"),',
        first,
    )
    assert match, first
    return match[1]


async def bodies_of(exchange: Exchange) -> list[bytes]:
    assert (await exchange.whole()).status == 200
    return [message["body"] for message in exchange.sent[1:]]


def texts_in(bodies: list[bytes]) -> list[Any]:
    events = [msgspec.json.decode(body[6:]) for body in bodies if body.startswith(b'data: {"id"')]
    deltas = [choice["delta"] for event in events for choice in event["choices"]]
    return [delta["content"] for delta in deltas if "content" in delta]
