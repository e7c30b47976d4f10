from collections.abc import AsyncIterator

import pytest

from polyant.adapters.llm.image_fetcher import PublicImageFetcher
from polyant.adapters.llm.public_http import PublicHttp
from polyant.adapters.memory.image_fetcher import MemoryImageFetcher
from polyant.domain.proxies import ProxyRules
from polyant.testing.image_fetcher import CONTENT, ImageFetcherContract
from support.fake_network import FakeNetwork
from support.upstream import Reply, ScriptedUpstream

PUBLIC = "93.184.215.14"
URL = "http://images.example/a.png"


class TestMemoryImageFetcher(ImageFetcherContract):
    @pytest.fixture
    def url(self) -> str:
        return URL

    @pytest.fixture
    def image_fetcher(self) -> MemoryImageFetcher:
        return MemoryImageFetcher({URL: CONTENT})


class TestPublicImageFetcher(ImageFetcherContract):
    @pytest.fixture
    def url(self) -> str:
        return URL

    @pytest.fixture
    async def image_fetcher(self, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[PublicImageFetcher]:
        network = FakeNetwork(monkeypatch)
        async with ScriptedUpstream() as web, PublicHttp(resolver=network) as public_http:
            network.name("images.example", PUBLIC)
            network.place(PUBLIC, web.url)
            web.otherwise = lambda _: Reply(pieces=(CONTENT,))
            yield PublicImageFetcher(public_http=public_http, proxies=ProxyRules())
