"""Sends one HTTP request over a new connection, by default only to the public internet."""

import errno
import socket

import aiohttp
from aiohttp.abc import AbstractResolver
from aiohttp.connector import AddrInfoType

from polyant.adapters.tools.http_call import HttpCall
from polyant.adapters.tools.http_response import MAX_BODY_BYTES, HttpResponse
from polyant.domain.public_addresses import is_public
from polyant.domain.tools import ToolError

_HEADERS = {
    "accept-encoding": "identity",  # the size limit counts received bytes, which only works without compression
    "user-agent": "polyant",
}


class PublicSockets:
    """A socket factory that allows public addresses only.

    It checks each address immediately before the connection to that address. So DNS rebinding and alternative
    spellings of an address can't bypass the check.
    """

    def __init__(self) -> None:
        self.refused = False

    def __call__(self, address: AddrInfoType) -> socket.socket:
        family, kind, protocol, _, address_and_port = address
        if not is_public(str(address_and_port[0])):
            self.refused = True
            raise PermissionError(errno.EACCES, "not a public address")
        return socket.socket(family, kind, protocol)


async def exchange(call: HttpCall, *, allow_private: bool, resolver: AbstractResolver | None) -> HttpResponse:
    """Sends the request and returns the response, without following redirects.

    Exchanges share no state: no connection, no cookie and no DNS cache.

    Args:
        call: The request.
        allow_private: Whether addresses outside the public internet are allowed.
        resolver: Resolves host names; None for the system's resolver.

    Raises:
        ToolError: There is no response; the message says why and contains no IP address.
        TimeoutError: The network timed out.
    """
    sockets = PublicSockets()
    connector = aiohttp.TCPConnector(
        resolver=resolver, use_dns_cache=False, force_close=True, socket_factory=None if allow_private else sockets
    )
    session = aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None),
        auto_decompress=False,
        trust_env=False,  # a proxy would bypass the address check
    )
    async with session:
        try:
            return await _exchange(session, call)
        except TimeoutError:
            raise
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise ToolError(_refused_message(call) if sockets.refused else _failure_message(error, call)) from None


async def _exchange(session: aiohttp.ClientSession, call: HttpCall) -> HttpResponse:
    headers = {**_HEADERS, **call.headers}
    async with session.request(
        call.method, call.url, headers=headers, data=call.body, allow_redirects=False
    ) as response:
        body = bytearray()
        while len(body) <= MAX_BODY_BYTES and (chunk := await response.content.read(MAX_BODY_BYTES)):
            body += chunk
        return HttpResponse(
            status=response.status,
            url=str(call.url),
            headers=response.headers,
            content_type=response.content_type,
            charset=response.charset,
            body=bytes(body[:MAX_BODY_BYTES]),
            truncated=len(body) > MAX_BODY_BYTES,
        )


def _refused_message(call: HttpCall) -> str:
    target = f"{call.url.host_subcomponent}:{call.url.port}"
    return (
        f"Requests to {target} are refused: it isn't on the public internet. "
        "Only the operator of this server can allow it"
    )


def _failure_message(error: Exception, call: HttpCall) -> str:
    host = call.url.host
    match error:
        case aiohttp.InvalidURL():
            return f"'{host}' is not a valid host: write an address in its usual form, e.g. 192.0.2.1"
        case aiohttp.ClientConnectorDNSError():
            return f"The host {host} is unknown"
        case aiohttp.ClientSSLError():
            return f"The TLS connection to {host} failed: its certificate may be invalid"
        case aiohttp.ClientConnectorError():
            return f"{host} can't be reached"
        case aiohttp.ClientResponseError():
            return f"{host} sent a response that isn't HTTP"
    return f"The connection to {host} broke off before the response was complete"
