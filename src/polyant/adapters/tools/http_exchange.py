"""One exchange with a server, over a connection of its own that leads to the public internet only."""

import errno
import socket

import aiohttp
from aiohttp.abc import AbstractResolver
from aiohttp.connector import AddrInfoType

from polyant.adapters.tools.http_answer import MAX_BODY_BYTES, HttpAnswer
from polyant.adapters.tools.http_call import HttpCall
from polyant.adapters.tools.public_addresses import is_public
from polyant.domain.tools import ToolError

_HEADERS = {
    "accept-encoding": "identity",  # what is compressed can't be bounded by counting what arrives
    "user-agent": "polyant",
}


class PublicSockets:
    """Makes the sockets of a connector, for public addresses only.

    It is shown each address right before that same address is connected to: whatever a host's name means at any other
    time, and however its address is written, plays no part.
    """

    def __init__(self) -> None:
        self.refused = False

    def __call__(self, address: AddrInfoType) -> socket.socket:
        family, kind, protocol, _, place = address
        if not is_public(str(place[0])):
            self.refused = True
            raise PermissionError(errno.EACCES, "not a public address")
        return socket.socket(family, kind, protocol)


async def exchange(call: HttpCall, *, anywhere: bool, resolver: AbstractResolver | None) -> HttpAnswer:
    """Sends the call and returns the answer, a redirect included.

    No other exchange finds anything of it: no open connection, no cookie, no name that was looked up.

    Args:
        call: What to send.
        anywhere: Whether addresses that aren't public will do, too.
        resolver: What looks names up; the system's if there is none.

    Raises:
        ToolError: There is no answer; the message says why and names no address.
        TimeoutError: The network gave up.
    """
    sockets = PublicSockets()
    connector = aiohttp.TCPConnector(
        resolver=resolver, use_dns_cache=False, force_close=True, socket_factory=None if anywhere else sockets
    )
    session = aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None),
        auto_decompress=False,
        trust_env=False,  # a proxy would connect to where we must not
    )
    async with session:
        try:
            return await _exchange(session, call)
        except TimeoutError:
            raise
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise ToolError(_refusal(call) if sockets.refused else _reason(error, call)) from None


async def _exchange(session: aiohttp.ClientSession, call: HttpCall) -> HttpAnswer:
    headers = {**_HEADERS, **call.headers}
    async with session.request(
        call.method, call.url, headers=headers, data=call.body, allow_redirects=False
    ) as response:
        body = bytearray()
        while len(body) <= MAX_BODY_BYTES and (chunk := await response.content.read(MAX_BODY_BYTES)):
            body += chunk
        return HttpAnswer(
            status=response.status,
            url=str(call.url),
            headers=response.headers,
            content_type=response.content_type,
            charset=response.charset,
            body=bytes(body[:MAX_BODY_BYTES]),
            cut=len(body) > MAX_BODY_BYTES,
        )


def _refusal(call: HttpCall) -> str:
    place = f"{call.url.host_subcomponent}:{call.url.port}"
    return (
        f"Requests to {place} are refused: it isn't on the public internet. "
        "Only the operator of this server can allow it"
    )


def _reason(error: Exception, call: HttpCall) -> str:
    host = call.url.host
    match error:
        case aiohttp.InvalidURL():
            return f"'{host}' is no host that can be called: write an address in its usual form, e.g. 192.0.2.1"
        case aiohttp.ClientConnectorDNSError():
            return f"No host named {host} is known"
        case aiohttp.ClientSSLError():
            return f"{host} offers no secure connection that can be trusted"
        case aiohttp.ClientConnectorError():
            return f"{host} can't be reached"
        case aiohttp.ClientResponseError():
            return f"{host} gave an answer that isn't HTTP"
    return f"The connection to {host} broke off before the answer was complete"
