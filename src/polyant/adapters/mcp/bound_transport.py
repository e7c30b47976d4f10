"""An HTTP transport that is restricted to one server."""

import functools
import ssl
from collections.abc import AsyncIterator

import httpx2

from polyant.adapters.mcp.public_transport import PublicTransport
from polyant.domain.urls import origin_of

MAX_BYTES = 32 * 1024 * 1024

_UNCOMPRESSED = "identity"  # the size limit counts received bytes, which only works without compression
_FIRST_FAILURE = 400


class BoundTransport(httpx2.AsyncBaseTransport):
    """Rejects requests to other origins, and responses that are longer than `MAX_BYTES`.

    Args:
        origin: The only origin that requests are sent to.
        public_only: Whether to connect to public IP addresses only.
    """

    def __init__(self, origin: str, *, public_only: bool = False) -> None:
        self._origin = origin
        network = httpx2.AsyncHTTPTransport(verify=_tls(), trust_env=False)
        self._inner: httpx2.AsyncBaseTransport = PublicTransport(network) if public_only else network
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
        if request.method == "POST":
            self.failure = response.status_code if response.status_code >= _FIRST_FAILURE else None
        assert isinstance(response.stream, httpx2.AsyncByteStream)  # noqa: S101 - true for an asynchronous transport
        response.stream = _BoundStream(response.stream)
        return response

    async def aclose(self) -> None:
        """Closes the connections."""
        await self._inner.aclose()


class _BoundStream(httpx2.AsyncByteStream):
    def __init__(self, inner: httpx2.AsyncByteStream) -> None:
        self._inner = inner

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = MAX_BYTES
        async for chunk in self._inner:
            left -= len(chunk)
            if left < 0:
                raise httpx2.ReadError("the response is too long")
            yield chunk

    async def aclose(self) -> None:
        await self._inner.aclose()


@functools.cache
def _tls() -> ssl.SSLContext:
    """Returns the TLS context that all connections share: loading the certificates takes longer than most calls."""
    return ssl.create_default_context()
