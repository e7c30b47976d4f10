from collections.abc import AsyncIterator

import pytest

from polyant.adapters.llm.image_fetcher import PublicImageFetcher
from polyant.adapters.llm.public_http import PublicHttp
from polyant.adapters.memory.image_fetcher import MemoryImageFetcher
from polyant.domain.proxies import ProxyRules
from polyant.testing.fake_network import FakeNetwork, FakeWeb
from polyant.testing.image_fetcher import CONTENT, ConnectingImageFetcherContract, ImageFetcherContract
from polyant.testing.upstream import HANG_BEFORE_HEAD, Reply, ScriptedUpstream

SILENT = "http://silent.example/a.png"
SILENT_ADDRESS = "93.184.215.15"


class _Urls:
    @pytest.fixture
    def url(self) -> str:
        return FakeWeb.url

    @pytest.fixture
    def silent_url(self) -> str:
        return SILENT


class TestMemoryImageFetcher(_Urls, ImageFetcherContract):
    @pytest.fixture
    def image_fetcher(self) -> MemoryImageFetcher:
        return MemoryImageFetcher({FakeWeb.url: CONTENT, SILENT: None})


class TestPublicImageFetcher(_Urls, ImageFetcherContract, ConnectingImageFetcherContract):
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
    async def image_fetcher(self, network: FakeNetwork, web: FakeWeb) -> AsyncIterator[PublicImageFetcher]:
        async with PublicHttp(resolver=network) as public_http:
            yield PublicImageFetcher(public_http=public_http, proxies=ProxyRules())
