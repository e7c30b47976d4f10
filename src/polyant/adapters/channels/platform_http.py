"""The HTTP client that channel adapters share: it calls only the platform's own hosts, and repeats no change."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import urljoin

import aiohttp
import msgspec

from polyant.adapters.channels.platform_hosts import PlatformHosts
from polyant.domain.channel_sends import FetchedMedia, FetchOutcome, MediaDelayed, MediaUnavailable
from polyant.domain.proxies import ProxyRules
from polyant.domain.proxy_routes import ProxyRoutes

T = TypeVar("T")

CONNECT_SECONDS = 5.0
MAX_RESPONSE_BYTES = 1024 * 1024
DOWNLOAD_SECONDS = 50.0
"""The longest time of a download: `Channel.fetch` takes at most 60 s, and asks for the address of the media first."""
_CLOSE_SECONDS = 2.0

_HEADERS = {
    "Accept-Encoding": "identity",  # the size limit counts received bytes, which only works without compression
    "User-Agent": "polyant",
}
_READ_BYTES = 64 * 1024
_MAX_REDIRECTS = 3
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_GONE = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE})
_SECONDS = re.compile(r"\A\d{1,6}(\.\d+)?\Z", re.ASCII)
_MAX_WAIT_SECONDS = 3_600.0
_SERVER_ERROR = 500
_SUCCESS = range(200, 300)

# None of these is raised once a part of the request was written.
_BEFORE_THE_REQUEST = (
    aiohttp.ClientConnectorError,
    aiohttp.ClientHttpProxyError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.InvalidURL,
)


class CallFailedError(Exception):
    """There is no response.

    Args:
        may_have_arrived: Whether the platform may have received the request.
    """

    def __init__(self, *, may_have_arrived: bool) -> None:
        super().__init__("no response")
        self.may_have_arrived = may_have_arrived


class PlatformResponse(msgspec.Struct, frozen=True, kw_only=True):
    """A complete response; without a repr, because bodies can contain credentials and texts of users."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def __repr__(self) -> str:
        """Returns a representation with only the status."""
        return f"PlatformResponse({self.status})"

    @property
    def retry_after(self) -> float | None:
        """The seconds in Retry-After, at most an hour; None without a valid header."""
        text = self.headers.get("Retry-After", "").strip()
        return min(float(text), _MAX_WAIT_SECONDS) if _SECONDS.match(text) else None

    @property
    def is_success(self) -> bool:
        """Whether the server carried out the request."""
        return self.status in _SUCCESS

    @property
    def is_server_error(self) -> bool:
        """Whether the server failed, so that it is unknown whether it took the request."""
        return self.status >= _SERVER_ERROR

    def decode(self, kind: type[T]) -> T | None:
        """Returns the JSON body, or None if it isn't of that type."""
        try:
            return msgspec.json.decode(self.body, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None


class PlatformHttp:
    """Calls the hosts of one platform over the session that all providers share.

    A GET is repeated once if the connection is lost before the response; nothing else is repeated.

    Args:
        session: The session.
        proxies: The operator's proxies.
        hosts: The platform's hosts.
    """

    def __init__(self, *, session: aiohttp.ClientSession, proxies: ProxyRules, hosts: PlatformHosts) -> None:
        self._session = session
        self._routes = ProxyRoutes(proxies)
        self._hosts = hosts

    async def call(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None = None,
        seconds: float,
        max_bytes: int = MAX_RESPONSE_BYTES,
    ) -> PlatformResponse:
        """Returns the response to one request, which takes at most that many seconds.

        Raises:
            CallFailedError: There is no response.
        """
        with _translate_errors():
            async with asyncio.timeout(seconds), self._open(method, url, headers, body) as response:
                content = await _read(response, max_bytes)
                if content is None:
                    raise CallFailedError(may_have_arrived=True)
                return PlatformResponse(status=response.status, headers=response.headers.copy(), body=content)

    async def download(self, url: str, *, headers: Mapping[str, str], max_bytes: int) -> FetchOutcome:
        """Returns the content at the URL; redirects are followed within the platform's hosts."""
        try:
            with _translate_errors():
                async with asyncio.timeout(DOWNLOAD_SECONDS):
                    return await self._download(url, headers, max_bytes)
        except CallFailedError:
            return MediaDelayed()

    def includes(self, url: str) -> bool:
        """Returns whether the URL belongs to the platform."""
        return self._hosts.include(url)

    async def open_websocket(self, url: str, *, seconds: float, heartbeat: float) -> aiohttp.ClientWebSocketResponse:
        """Returns an open WebSocket, which closes itself if the peer is silent for longer than `heartbeat` seconds.

        Raises:
            CallFailedError: It can't be opened.
        """
        with _translate_errors():
            self._require_platform(url)
            route = self._routes.route_to(url.replace("ws", "http", 1))
            async with asyncio.timeout(seconds):
                return await self._session.ws_connect(
                    url,
                    headers={"User-Agent": "polyant", **route.headers},
                    proxy=route.proxy,
                    proxy_headers=route.proxy_headers,
                    heartbeat=heartbeat,
                    timeout=aiohttp.ClientWSTimeout(ws_close=_CLOSE_SECONDS),
                )

    async def _download(self, url: str, headers: Mapping[str, str], max_bytes: int) -> FetchOutcome:
        for _ in range(1 + _MAX_REDIRECTS):
            if not self._hosts.include(url):
                break
            async with self._open("GET", url, headers, None) as response:
                if response.status not in _REDIRECTS:
                    return await _media(response, max_bytes)
                url = urljoin(url, response.headers.get("Location", ""))
        return MediaUnavailable("refused")

    @asynccontextmanager
    async def _open(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        self._require_platform(url)
        route = self._routes.route_to(url)
        response = await self._session.request(
            method,
            url,
            data=body,
            headers={**_HEADERS, **headers, **route.headers},
            proxy=route.proxy,
            proxy_headers=route.proxy_headers,
            timeout=aiohttp.ClientTimeout(total=None, connect=CONNECT_SECONDS),
            allow_redirects=False,
        )
        try:
            yield response
        finally:
            response.release() if response.content.at_eof() else response.close()

    def _require_platform(self, url: str) -> None:
        if not self._hosts.include(url):
            raise CallFailedError(may_have_arrived=False)


async def _media(response: aiohttp.ClientResponse, max_bytes: int) -> FetchOutcome:
    if response.status in _GONE:
        return MediaUnavailable("gone")
    if response.status == HTTPStatus.TOO_MANY_REQUESTS or response.status >= _SERVER_ERROR:
        head = PlatformResponse(status=response.status, headers=response.headers.copy(), body=b"")
        return MediaDelayed(head.retry_after or 1.0)
    if response.status != HTTPStatus.OK:
        return MediaUnavailable("refused")
    content = await _read(response, max_bytes)
    if content is None:
        return MediaUnavailable("too large")
    return FetchedMedia(content=content, media_type=response.headers.get("Content-Type"))


async def _read(response: aiohttp.ClientResponse, max_bytes: int) -> bytes | None:
    """Returns the body, or None if it is longer than `max_bytes`."""
    if (response.content_length or 0) > max_bytes:
        return None
    body = bytearray()
    while chunk := await response.content.read(_READ_BYTES):
        body += chunk
        if len(body) > max_bytes:
            return None
    return bytes(body)


@contextmanager
def _translate_errors() -> Iterator[None]:
    try:
        yield
    except _BEFORE_THE_REQUEST:
        raise CallFailedError(may_have_arrived=False) from None
    except (aiohttp.ClientError, OSError):
        raise CallFailedError(may_have_arrived=True) from None


def bearer(token: str) -> dict[str, str] | None:
    """Returns the header with a platform's token, or None if no header can contain it."""
    return {"Authorization": f"Bearer {token}"} if token.isascii() and token.isprintable() else None


def json_body(arguments: Mapping[str, Any]) -> bytes:
    """Returns the arguments as JSON, without those that are None."""
    return msgspec.json.encode({name: value for name, value in arguments.items() if value is not None})
