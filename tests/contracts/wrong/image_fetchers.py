"""Fetchers of images that each break one promise."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp.abc import AbstractCookieJar
from yarl import URL

from polyant.domain.errors import InvalidInputError
from polyant.domain.media.sizes import MediaTooLargeError
from polyant.domain.ports.image_fetcher import ImageFetcher
from polyant.domain.public_addresses import is_public
from polyant.testing.fake_network import FakeNetwork, FakeWeb
from polyant.testing.image_fetcher import CONTENT, ConnectingImageFetcherContract, ImageFetcherContract
from polyant.testing.upstream import HANG_BEFORE_HEAD, Reply, ScriptedUpstream

SILENT = "http://silent.example/a.png"
SILENT_ADDRESS = "93.184.215.15"
MESSAGE = "The image can't be fetched"
REDIRECTS = 3


class Fetcher(ImageFetcher):
    """Is right, but for what subclasses change."""

    cookies: type[AbstractCookieJar] = aiohttp.DummyCookieJar

    def __init__(self, network: FakeNetwork) -> None:
        self._network = network
        connector = aiohttp.TCPConnector(resolver=network, use_dns_cache=False)
        self._session = aiohttp.ClientSession(connector=connector, cookie_jar=self.cookies())

    async def close(self) -> None:
        await self._session.close()

    async def fetch(self, url: str, *, max_bytes: int) -> bytes:
        try:
            return await self.follow(url, max_bytes)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise self.refusal(error, url) from None

    async def follow(self, url: str, max_bytes: int) -> bytes:
        for _ in range(REDIRECTS):
            address = URL(url)
            await self.check(address)
            async with self._session.get(address, allow_redirects=False) as response:
                if response.status == 302:
                    url = str(address.join(URL(response.headers.get("Location", "nowhere:"))))
                    continue
                response.raise_for_status()
                return await self.read(response, max_bytes)
        raise ValueError(url)

    async def check(self, address: URL) -> None:
        if address.scheme not in {"http", "https"} or address.user or not address.host:
            raise ValueError(address)
        await self.check_host(address.host)

    async def check_host(self, host: str) -> None:
        addresses = [host] if is_literal(host) else [each["host"] for each in await self._network.resolve(host)]
        if not all(map(is_public, addresses)):
            raise ValueError(host)

    async def read(self, response: aiohttp.ClientResponse, max_bytes: int) -> bytes:
        content = b""
        async for piece in response.content.iter_any():
            content += piece
            if len(content) > max_bytes:
                raise MediaTooLargeError(max_bytes)
        return content

    def refusal(self, error: Exception, url: str) -> InvalidInputError:
        return InvalidInputError(MESSAGE)


def is_literal(host: str) -> bool:
    return ":" in host or host.replace(".", "").isdecimal()


class FetcherContract(ImageFetcherContract, ConnectingImageFetcherContract):
    fetcher: type[Fetcher]

    @pytest.fixture
    def url(self) -> str:
        return FakeWeb.url

    @pytest.fixture
    def silent_url(self) -> str:
        return SILENT

    @pytest.fixture
    async def network(self, monkeypatch: pytest.MonkeyPatch) -> FakeNetwork:
        return FakeNetwork(monkeypatch)

    @pytest.fixture
    async def web(self, network: FakeNetwork) -> AsyncIterator[FakeWeb]:
        async with ScriptedUpstream() as upstream, ScriptedUpstream() as silent:
            upstream.otherwise, silent.otherwise = Reply(pieces=(CONTENT,)), HANG_BEFORE_HEAD
            network.name("silent.example", SILENT_ADDRESS)
            network.place(SILENT_ADDRESS, silent.url)
            yield FakeWeb(network, upstream)

    @pytest.fixture
    async def image_fetcher(self, network: FakeNetwork, web: FakeWeb) -> AsyncIterator[Fetcher]:
        fetcher = self.fetcher(network)
        yield fetcher
        await fetcher.close()


class TestRight(FetcherContract):
    fetcher = Fetcher


class ChecksNothing(Fetcher):
    """Connects anywhere."""

    async def check_host(self, host: str) -> None:
        pass


class TestAddressesUnchecked(FetcherContract):
    fetcher = ChecksNothing


class ChecksLiterals(Fetcher):
    """Checks addresses, but not what names resolve to."""

    async def check_host(self, host: str) -> None:
        if is_literal(host) or host == "localhost":
            await super().check_host(host)


class TestNamesUnchecked(FetcherContract):
    fetcher = ChecksLiterals


class ChecksFirst(Fetcher):
    """Checks the caller's URL, and lets the HTTP client follow redirects."""

    async def follow(self, url: str, max_bytes: int) -> bytes:
        address = URL(url)
        await self.check(address)
        async with self._session.get(address) as response:
            response.raise_for_status()
            return await self.read(response, max_bytes)


class TestRedirectsUnchecked(FetcherContract):
    fetcher = ChecksFirst


class SendsUsers(Fetcher):
    """Sends the credentials in a URL."""

    async def check(self, address: URL) -> None:
        await super().check(address.with_user(None))


class TestCredentialsInRedirect(FetcherContract):
    fetcher = SendsUsers


class KeepsCookies(Fetcher):
    """Has a session with the default cookie jar."""

    cookies = aiohttp.CookieJar


class TestCookiesKept(FetcherContract):
    fetcher = KeepsCookies


class ReadsEverything(Fetcher):
    """Reads the whole content before it looks at the size."""

    async def read(self, response: aiohttp.ClientResponse, max_bytes: int) -> bytes:
        content = await response.read()
        if len(content) > max_bytes:
            raise MediaTooLargeError(max_bytes)
        return content


class TestRestRead(FetcherContract):
    patience_seconds = 1.0
    fetcher = ReadsEverything


class Truncates(Fetcher):
    """Returns the beginning of content that is too large."""

    async def read(self, response: aiohttp.ClientResponse, max_bytes: int) -> bytes:
        return await response.content.read(max_bytes)


class TestContentTruncated(FetcherContract):
    fetcher = Truncates


class OffByOne(Fetcher):
    """Refuses content of exactly the allowed size."""

    async def read(self, response: aiohttp.ClientResponse, max_bytes: int) -> bytes:
        return await super().read(response, max_bytes - 1)


class TestSizeOffByOne(FetcherContract):
    fetcher = OffByOne


class NamesReason(Fetcher):
    """Tells callers why."""

    def refusal(self, error: Exception, url: str) -> InvalidInputError:
        return InvalidInputError(f"{MESSAGE}: {type(error).__name__}")


class TestReasonNamed(FetcherContract):
    fetcher = NamesReason


class RepeatsUrl(Fetcher):
    """Tells callers what they asked for."""

    def refusal(self, error: Exception, url: str) -> InvalidInputError:
        return InvalidInputError(f"{MESSAGE}: {url}")


class TestUrlRepeated(FetcherContract):
    fetcher = RepeatsUrl


class OneAtATime(Fetcher):
    """Has a lock."""

    def __init__(self, network: FakeNetwork) -> None:
        super().__init__(network)
        self._lock = asyncio.Lock()

    async def fetch(self, url: str, *, max_bytes: int) -> bytes:
        async with self._lock:
            return await super().fetch(url, max_bytes=max_bytes)


class TestOneAtATime(FetcherContract):
    patience_seconds = 1.0
    fetcher = OneAtATime


class SwallowsCancellation(Fetcher):
    """Translates every exception."""

    async def fetch(self, url: str, *, max_bytes: int) -> bytes:
        try:
            return await super().fetch(url, max_bytes=max_bytes)
        except asyncio.CancelledError:
            raise InvalidInputError(MESSAGE) from None


class TestCancellationSwallowed(FetcherContract):
    fetcher = SwallowsCancellation
