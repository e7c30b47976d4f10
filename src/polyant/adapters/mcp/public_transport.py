"""An HTTP transport that connects to public IP addresses only."""

import asyncio
import socket

import httpx2

from polyant.domain.public_addresses import is_public


class NotPublicError(httpx2.ConnectError):
    """A server's name resolves to no public IP address."""


class PublicTransport(httpx2.AsyncBaseTransport):
    """Resolves each request's host, and connects to one of its public IP addresses.

    The connection goes to the address that was checked. So DNS rebinding and alternative spellings of an address can't
    bypass the check. TLS still verifies the name.

    Args:
        inner: Sends the requests.
    """

    def __init__(self, inner: httpx2.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Sends the request to the first public address that accepts a connection.

        Raises:
            NotPublicError: The host has no public address.
            ConnectError: The host is unknown, or no address accepts a connection.
        """
        failure: httpx2.ConnectError = NotPublicError("no public address", request=request)
        for address in await _addresses(request):
            if is_public(address):
                try:
                    return await self._inner.handle_async_request(_pinned(request, address))
                except httpx2.ConnectError as error:
                    failure = error
        raise failure

    async def aclose(self) -> None:
        """Closes the connections."""
        await self._inner.aclose()


async def _addresses(request: httpx2.Request) -> list[str]:
    """Returns the addresses of the request's host, in the order of the system's preference."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            request.url.host, request.url.port, type=socket.SOCK_STREAM
        )
    except OSError as error:
        raise httpx2.ConnectError("the host is unknown", request=request) from error
    return list(dict.fromkeys(str(address[0]) for _, _, _, _, address in found))


def _pinned(request: httpx2.Request, address: str) -> httpx2.Request:
    """Returns the request with the address in its URL; the `Host` header keeps the name."""
    return httpx2.Request(
        request.method,
        request.url.copy_with(host=address),
        headers=request.headers,
        stream=request.stream,
        extensions={**request.extensions, "sni_hostname": request.url.host},
    )
