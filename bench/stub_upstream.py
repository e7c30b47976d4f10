"""A stub of an OpenAI-compatible provider: constant bytes, at once or paced; as cheap as Python can.

    python bench/stub_upstream.py PORT [--pace DELTAS_PER_SECOND] [--deltas 200]

A body with `"stream":true` gets a stream of deltas of one short token each, any other a whole answer.
"""

import argparse
import asyncio
from functools import partial
from typing import cast

import uvloop

_CHUNK = (
    b'data: {"id":"chatcmpl-stub","object":"chat.completion.chunk","created":1,"model":"stub",'
    b'"choices":[{"index":0,"delta":{"content":"token "},"finish_reason":null}]}\n\n'
)
_LAST = (
    b'data: {"id":"chatcmpl-stub","object":"chat.completion.chunk","created":1,"model":"stub",'
    b'"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
)
_WHOLE = (
    b'{"id":"chatcmpl-stub","object":"chat.completion","created":1,"model":"stub","choices":[{"index":0,"message":'
    b'{"role":"assistant","content":"Hello from the stub"},"finish_reason":"stop"}],'
    b'"usage":{"prompt_tokens":5,"completion_tokens":4,"total_tokens":9}}'
)
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def _chunked(body: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(body), body)


class Stub(asyncio.Protocol):
    """One connection; requests follow one another on it."""

    def __init__(self, *, deltas: int, pace: float) -> None:
        self._pace = pace
        self._deltas = deltas
        self._whole = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
            len(_WHOLE),
            _WHOLE,
        )
        self._stream = _HEAD + _chunked(_CHUNK) * deltas + _chunked(_LAST) + b"0\r\n\r\n"
        self._received = b""
        self._pacing: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        if self._pacing is not None:
            self._pacing.cancel()

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
            self._answer(streaming=b'"stream":true' in body)

    def _answer(self, *, streaming: bool) -> None:
        if not streaming:
            self._transport.write(self._whole)
        elif self._pace:
            self._pacing = asyncio.get_running_loop().create_task(self._trickle())
        else:
            self._transport.write(self._stream)

    async def _trickle(self) -> None:
        loop = asyncio.get_running_loop()
        self._transport.write(_HEAD)
        started = loop.time()
        for number in range(self._deltas):
            await asyncio.sleep(max(0, started + number / self._pace - loop.time()))
            self._transport.write(_chunked(_CHUNK))
        self._transport.write(_chunked(_LAST) + b"0\r\n\r\n")


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--pace", type=float, default=0)
    parser.add_argument("--deltas", type=int, default=200)
    args = parser.parse_args()
    make = partial(Stub, deltas=args.deltas, pace=args.pace)
    server = await asyncio.get_running_loop().create_server(make, "127.0.0.1", args.port, backlog=4_096)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
