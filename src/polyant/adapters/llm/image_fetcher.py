"""Fetches images from the public internet over the session that connects to public addresses only."""

import asyncio

import aiohttp
from yarl import URL

from polyant.adapters.llm.public_http import PublicHttp
from polyant.domain.errors import InvalidInputError
from polyant.domain.media.sizes import MediaTooLargeError
from polyant.domain.ports.image_fetcher import ImageFetcher
from polyant.domain.proxies import ProxyRules
from polyant.domain.proxy_routes import ProxyRoutes

_SECONDS = 10.0
_MAX_REDIRECTS = 3
_CHUNK_BYTES = 64 * 1024
_HEADERS = {"Accept": "image/*", "Accept-Encoding": "identity", "User-Agent": "polyant"}
_IDENTITY = ("", "identity")
_OK = 200


class PublicImageFetcher(ImageFetcher):
    """Fetches images in at most 10 seconds and over at most 3 redirects.

    Where the proxy settings require a proxy, nothing is fetched: the proxy resolves names itself, so that nobody could
    check the address that it connects to.

    Args:
        public_http: The session that connects to public addresses only.
        proxies: The proxies to use for model providers.
    """

    def __init__(self, *, public_http: PublicHttp, proxies: ProxyRules) -> None:
        self._http = public_http
        self._routes = ProxyRoutes(proxies)

    async def fetch(self, url: str, *, max_bytes: int) -> bytes:
        try:
            async with asyncio.timeout(_SECONDS):
                return await self._fetch(url, max_bytes)
        except (aiohttp.ClientError, OSError, ValueError):
            raise _unreachable() from None

    async def _fetch(self, url: str, max_bytes: int) -> bytes:
        address = URL(url)
        for _ in range(_MAX_REDIRECTS + 1):
            if address.scheme not in {"http", "https"} or address.user or self._routes.route_to(str(address)).proxy:
                raise _unreachable()
            async with self._http.session.get(address, headers=_HEADERS, allow_redirects=False) as response:
                if response.status == _OK:
                    return await _content(response, max_bytes)
                target = response.headers.get("Location")
                if response.status not in {301, 302, 303, 307, 308} or target is None:
                    raise _unreachable()
                address = address.join(URL(target))
        raise _unreachable()


async def _content(response: aiohttp.ClientResponse, max_bytes: int) -> bytes:
    if response.headers.get("Content-Encoding", "").lower() not in _IDENTITY:
        raise _unreachable()
    content = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
        content += chunk
        if len(content) > max_bytes:
            raise MediaTooLargeError(max_bytes)
    return bytes(content)


def _unreachable() -> InvalidInputError:
    return InvalidInputError("The image can't be fetched: send it as a data URL, or from a public address")
