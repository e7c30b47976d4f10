"""An HTTP transport that is restricted to one server, and bounds and rewrites its responses."""

import functools
import ssl
from collections.abc import AsyncIterator, Callable
from http import HTTPStatus

import httpx2

from polyant.adapters.mcp.content_decoding import ResponseTooLongError, UnsupportedEncodingError, decoded
from polyant.adapters.mcp.message_filter import (
    SESSION_FORGOTTEN,
    MessageFilter,
    RpcRequest,
    error_message,
    request_of,
)
from polyant.adapters.mcp.public_transport import PublicTransport
from polyant.domain.urls import origin_of

MAX_BYTES = 4 * 1024 * 1024
"""The maximum size of one response, before and after decoding its content encoding."""

_UNCOMPRESSED = "identity"  # some servers compress nevertheless, so the limit also counts decoded bytes
_SESSION = "mcp-session-id"
_JSON = "application/json"


class BoundTransport(httpx2.AsyncBaseTransport):
    """Rejects requests to other origins, and bounds and rewrites the responses.

    Args:
        origin: The only origin that requests are sent to.
        public_only: Whether to connect to public IP addresses only.
        message_filter: Rewrites the messages of responses to POST requests.
        max_bytes: Returns the size limit of the next response to a method.
    """

    def __init__(
        self,
        origin: str,
        *,
        public_only: bool = False,
        message_filter: MessageFilter | None = None,
        max_bytes: Callable[[str], int] = lambda _: MAX_BYTES,
    ) -> None:
        self._origin = origin
        network = httpx2.AsyncHTTPTransport(verify=_tls(), trust_env=False)
        self._inner: httpx2.AsyncBaseTransport = PublicTransport(network) if public_only else network
        self._filter = message_filter or MessageFilter({})
        self._max_bytes = max_bytes
        self.failure: int | None = None
        """The status of the last response to a POST, if it was an error."""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Sends the request.

        Raises:
            UnsupportedProtocol: The request is for another origin.
        """
        if origin_of(str(request.url)) != self._origin:
            raise httpx2.UnsupportedProtocol("a redirect to another origin is not followed", request=request)
        request.headers["Accept-Encoding"] = _UNCOMPRESSED
        response = await self._inner.handle_async_request(request)
        if request.method != "POST":
            return _with_body(response, _bounded(response, MAX_BYTES))
        self.failure = response.status_code if response.is_error else None
        rpc = request_of(request.content)
        if response.status_code == HTTPStatus.NOT_FOUND and _SESSION in request.headers and rpc.id is not None:
            await response.aclose()
            content = error_message(rpc, SESSION_FORGOTTEN, "the session has ended")
            return httpx2.Response(HTTPStatus.NOT_FOUND, headers={"Content-Type": _JSON}, content=content)
        return self._rewritten(response, rpc)

    async def aclose(self) -> None:
        """Closes the connections."""
        await self._inner.aclose()

    def _rewritten(self, response: httpx2.Response, rpc: RpcRequest) -> httpx2.Response:
        media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        body = _decoded(response, self._max_bytes(rpc.method))
        if rpc.id is None:
            return _with_body(response, _bounded(response, MAX_BYTES))
        if media_type == "text/event-stream":
            return _with_body(response, self._filter.events(rpc, body))
        return _with_body(response, self._filter.json(rpc, body))


class _Body(httpx2.AsyncByteStream):
    def __init__(self, pieces: AsyncIterator[bytes], inner: httpx2.AsyncByteStream) -> None:
        self._pieces = pieces
        self._inner = inner

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._pieces:
            yield piece

    async def aclose(self) -> None:
        await self._inner.aclose()


def _with_body(response: httpx2.Response, pieces: AsyncIterator[bytes]) -> httpx2.Response:
    """Returns the response with another body, which has no content encoding and an unknown length."""
    headers = httpx2.Headers(response.headers)
    for name in ("content-encoding", "content-length"):
        headers.pop(name, None)
    stream = _Body(pieces, _stream_of(response))
    return httpx2.Response(response.status_code, headers=headers, stream=stream, extensions=response.extensions)


def _decoded(response: httpx2.Response, max_bytes: int) -> AsyncIterator[bytes]:
    return decoded(_stream_of(response), response.headers.get("content-encoding", ""), max_bytes=max_bytes)


async def _bounded(response: httpx2.Response, max_bytes: int) -> AsyncIterator[bytes]:
    try:
        async for piece in _decoded(response, max_bytes):
            yield piece
    except (ResponseTooLongError, UnsupportedEncodingError):
        raise httpx2.ReadError("the response can't be read") from None


def _stream_of(response: httpx2.Response) -> httpx2.AsyncByteStream:
    stream = response.stream
    assert isinstance(stream, httpx2.AsyncByteStream)  # noqa: S101 - true for an asynchronous transport
    return stream


@functools.cache
def _tls() -> ssl.SSLContext:
    """Returns the TLS context that all connections share: loading the certificates takes longer than most calls."""
    return ssl.create_default_context()
