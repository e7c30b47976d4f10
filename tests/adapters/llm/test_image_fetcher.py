"""Images from the web: a real internal server must receive no request."""

from collections.abc import AsyncIterator

import pytest

from polyant.adapters.llm.image_fetcher import PublicImageFetcher
from polyant.adapters.llm.public_http import PublicHttp
from polyant.domain.errors import InvalidInputError
from polyant.domain.proxies import Proxy, ProxyRules
from polyant.testing.fake_network import FakeNetwork
from support.upstream import Received, Reply, Responder, ScriptedUpstream

PUBLIC = "93.184.215.14"
URL = "http://images.example/a.png"
MAX = 100_000


class Scenario:
    """A public server images.example, and an internal server."""

    def __init__(self, network: FakeNetwork, outside: ScriptedUpstream, inside: ScriptedUpstream) -> None:
        self.network = network
        self.outside = outside
        self.inside = inside
        self.inside_url = f"{inside.url}/secret.png"
        self.fetcher: PublicImageFetcher

    async def refused(self, url: str = URL) -> str:
        with pytest.raises(InvalidInputError) as caught:
            await self.fetcher.fetch(url, max_bytes=MAX)
        return caught.value.explanation


@pytest.fixture
async def scenario(monkeypatch: pytest.MonkeyPatch, upstream: ScriptedUpstream) -> AsyncIterator[Scenario]:
    network = FakeNetwork(monkeypatch)
    async with ScriptedUpstream() as outside, PublicHttp(resolver=network) as public_http:
        network.name("images.example", PUBLIC)
        network.place(PUBLIC, outside.url)
        scenario = Scenario(network, outside, upstream)
        upstream.otherwise = lambda _: Reply(pieces=(b"secret",))
        scenario.fetcher = PublicImageFetcher(public_http=public_http, proxies=ProxyRules())
        yield scenario


def redirecting(*targets: str) -> Responder:
    left = list(targets)
    return lambda _: Reply(status=302, headers={"Location": left.pop(0)}) if left else Reply(pieces=(b"image",))


async def test_redirects_are_followed_up_to_a_number(scenario: Scenario) -> None:
    scenario.outside.otherwise = redirecting("/b", "http://images.example:8080/c", "d")
    assert await scenario.fetcher.fetch(URL, max_bytes=MAX) == b"image"
    assert [request.path for request in scenario.outside.requests] == ["/a.png", "/b", "/c", "/d"]
    scenario.outside.otherwise = redirecting(*["/again"] * 4)
    assert "can't be fetched" in await scenario.refused()


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1"])
async def test_internal_addresses_are_refused_directly_by_name_and_by_redirect(
    scenario: Scenario, address: str
) -> None:
    scenario.network.name("intranet.example", address)
    host = f"[{address}]" if ":" in address else address
    port = scenario.inside.url.rpartition(":")[2]
    reasons = {await scenario.refused(f"http://{name}:{port}/x") for name in (host, "intranet.example")}
    scenario.outside.otherwise = redirecting(f"http://{host}:{port}/x")
    reasons.add(await scenario.refused())
    assert len(reasons) == 1
    assert scenario.inside.requests == []


async def test_compressed_content_fails_with_the_message_of_every_failure(scenario: Scenario) -> None:
    scenario.outside.otherwise = Reply(headers={"Content-Encoding": "gzip"}, pieces=(b"bomb",))
    message = await scenario.refused()
    assert message == await scenario.refused("http://unknown.example/")


async def test_nothing_is_fetched_where_a_proxy_is_required(scenario: Scenario) -> None:
    rules = ProxyRules(http=Proxy(url="http://proxy.example:3128"))
    scenario.fetcher = PublicImageFetcher(public_http=scenario.fetcher._http, proxies=rules)
    assert "can't be fetched" in await scenario.refused()
    assert scenario.network.dialled == []


async def test_request_says_only_that_an_image_is_wanted(scenario: Scenario) -> None:
    scenario.outside.otherwise = lambda _: Reply(headers={"Set-Cookie": "a=b"}, pieces=(b"image",))
    for _ in range(2):
        await scenario.fetcher.fetch(URL, max_bytes=MAX)
    last: Received = scenario.outside.requests[-1]
    assert {name.lower() for name in last.headers} == {"host", "accept", "accept-encoding", "user-agent"}
