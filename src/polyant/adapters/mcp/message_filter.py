"""Rewrites the responses of an MCP server before the MCP package reads them."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable
from typing import Any

import msgspec

from polyant.adapters.mcp.content_decoding import ResponseTooLongError, UnsupportedEncodingError
from polyant.adapters.mcp.event_blocks import EventSplitter
from polyant.adapters.mcp.json_text import InvalidJsonError, decode

UNREADABLE = -32_097
"""The code of the error that replaces a response that can't be read; the message says why."""
SESSION_FORGOTTEN = -32_098
"""The code of the error that replaces status 404 for a session."""

_ABSENT = msgspec.Raw(b"")

Rewrite = Callable[[msgspec.Raw], bytes]
"""Returns the result that replaces the result of one method; raises InvalidJsonError if it is invalid."""


class RpcRequest(msgspec.Struct):
    """The parts of a JSON-RPC request that identify its response."""

    method: str = ""
    id: int | str | None = None


class _Message(msgspec.Struct):
    id: Any = None
    result: msgspec.Raw = _ABSENT
    method: Any = None


_message_decoder = msgspec.json.Decoder(_Message)
_request_decoder = msgspec.json.Decoder(RpcRequest)


def request_of(content: bytes) -> RpcRequest:
    """Returns the JSON-RPC request in the body of a POST; without an id if the body is something else."""
    try:
        return decode(_request_decoder, content)
    except InvalidJsonError:
        return RpcRequest()


class MessageFilter:
    """Rewrites the results of some methods; other messages pass unchanged.

    A response that is too long or has an unsupported encoding becomes a JSON-RPC error, so that it fails only its own
    request: an exception in the transport would end the whole connection.

    Args:
        rewrites: The rewrite for each method.
    """

    def __init__(self, rewrites: dict[str, Rewrite]) -> None:
        self._rewrites = rewrites

    async def json(self, request: RpcRequest, body: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
        """Yields the rewritten body of a JSON response."""
        try:
            message = b"".join([piece async for piece in body])
        except (ResponseTooLongError, UnsupportedEncodingError) as error:
            yield error_message(request, UNREADABLE, _reason(error))
        else:
            yield self._rewritten(request, message)

    async def events(self, request: RpcRequest, body: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
        """Yields the rewritten events of an event stream, each as soon as it is complete."""
        splitter = EventSplitter()
        try:
            async for piece in body:
                for event in splitter.feed(piece):
                    yield event.encode(self._rewritten(request, event.data))
                await asyncio.sleep(0)  # many small events must not block other turns
            for event in splitter.end():
                yield event.encode(self._rewritten(request, event.data))
        except (ResponseTooLongError, UnsupportedEncodingError) as error:
            yield b"data: " + error_message(request, UNREADABLE, _reason(error)) + b"\n\n"

    def _rewritten(self, request: RpcRequest, text: bytes) -> bytes:
        rewrite = self._rewrites.get(request.method)
        if rewrite is None or not text:
            return text
        try:
            message = decode(_message_decoder, text)
            if message.result is _ABSENT or message.method is not None:
                return text
            result = rewrite(message.result)
        except InvalidJsonError:
            return text  # the package reports it
        return msgspec.json.encode({"jsonrpc": "2.0", "id": request.id, "result": msgspec.Raw(result)})


def error_message(request: RpcRequest, code: int, message: str) -> bytes:
    """Returns a JSON-RPC error as the response to the request."""
    return msgspec.json.encode({"jsonrpc": "2.0", "id": request.id, "error": {"code": code, "message": message}})


def _reason(error: Exception) -> str:
    if isinstance(error, ResponseTooLongError):
        return "returned more than the allowed 4 MiB"
    return "returned an unsupported content encoding"
