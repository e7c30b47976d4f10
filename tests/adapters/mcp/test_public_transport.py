"""Connections that have to be public: a real internal server must receive no request."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest

from polyant.adapters.mcp.bound_transport import BoundTransport
from polyant.adapters.mcp.public_transport import NotPublicError
from polyant.domain.urls import origin_of
from polyant.testing.fake_network import FakeNetwork
from support.upstream import Reply, ScriptedUpstream

PUBLIC = "93.184.215.14"


@dataclass(frozen=True)
class Scenario:
    """A network with the public server mcp.example, and an internal server on the loopback address."""

    network: FakeNetwork
    outside: ScriptedUpstream
    inside: ScriptedUpstream

    @property
    def port(self) -> str:
        return self.inside.url.rpartition(":")[2]

    async def get(self, url: str) -> str:
        transport = BoundTransport(origin_of(url), public_only=True)
        async with httpx2.AsyncClient(transport=transport) as client:
            return (await client.get(url)).text


@pytest.fixture
async def scenario(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scenario]:
    network = FakeNetwork(monkeypatch)
    loop = asyncio.get_running_loop()
    system = loop.getaddrinfo

    async def getaddrinfo(host: str, port: int, **options: Any) -> Any:
        try:
            found = await network.resolve(host, port)
        except OSError:
            return await system(host, port, **options)
        return [(None, None, None, "", (each["host"], port)) for each in found]

    monkeypatch.setattr(loop, "getaddrinfo", getaddrinfo)
    async with ScriptedUpstream() as outside, ScriptedUpstream() as inside:
        outside.otherwise = Reply(pieces=(b"welcome",))
        network.name("mcp.example", PUBLIC)
        network.place(PUBLIC, outside.url)
        yield Scenario(network, outside, inside)


async def test_public_address_is_called_by_its_name(scenario: Scenario) -> None:
    assert await scenario.get("http://mcp.example/mcp?a=1") == "welcome"
    (request,) = scenario.outside.requests
    assert (request.path, request.headers["host"]) == ("/mcp?a=1", "mcp.example")
    assert await scenario.get(f"http://{PUBLIC}:8443/") == "welcome"


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "::1", "::ffff:127.0.0.1"]
)
async def test_name_that_resolves_to_an_internal_address_is_refused(scenario: Scenario, address: str) -> None:
    scenario.network.name("intranet.example", address)
    with pytest.raises(NotPublicError):
        await scenario.get(f"http://intranet.example:{scenario.port}/")
    assert scenario.network.dialled == []


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost", "2130706433", "0x7f000001", "127.1"])
async def test_address_in_any_spelling_is_refused(scenario: Scenario, host: str) -> None:
    with pytest.raises(httpx2.ConnectError):
        await scenario.get(f"http://{host}:{scenario.port}/")
    assert scenario.inside._connections == 0


async def test_name_that_changes_its_address_after_the_check_is_not_followed(scenario: Scenario) -> None:
    scenario.network.name("rebind.example", PUBLIC, "127.0.0.1")
    assert await scenario.get("http://rebind.example/") == "welcome"
    with pytest.raises(NotPublicError):
        await scenario.get(f"http://rebind.example:{scenario.port}/")
    assert scenario.inside._connections == 0


async def test_next_address_is_tried_if_one_accepts_no_connection(scenario: Scenario) -> None:
    scenario.network.place("93.184.215.15", "http://127.0.0.1:9")
    scenario.network.name("two.example", ("10.0.0.1", "93.184.215.15", PUBLIC))
    assert await scenario.get("http://two.example/") == "welcome"
    assert [address for address, _ in scenario.network.dialled] == ["93.184.215.15", PUBLIC]


async def test_unknown_name_is_a_connection_error(scenario: Scenario) -> None:
    with pytest.raises(httpx2.ConnectError):
        await scenario.get("http://unknown.invalid/")


async def test_tls_verifies_the_name_and_not_the_address(scenario: Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    names: list[object] = []
    wrap = ssl.SSLContext.wrap_bio

    def record(context: ssl.SSLContext, *arguments: Any, **options: Any) -> Any:
        names.append(options.get("server_hostname"))
        return wrap(context, *arguments, **options)

    monkeypatch.setattr(ssl.SSLContext, "wrap_bio", record)
    with pytest.raises(httpx2.TransportError):
        await scenario.get("https://mcp.example/")
    assert names == [b"mcp.example"]
