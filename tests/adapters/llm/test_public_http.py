"""Calls to addresses that have to be public: a real internal server must receive no request."""

import dataclasses
from collections.abc import AsyncIterator

import aiohttp
import msgspec
import pytest

from polyant.adapters.llm.openai_chat_model import OpenAIChatModel
from polyant.adapters.llm.public_http import PublicHttp
from polyant.domain.chat import ModelEvent, ModelRequest
from polyant.domain.errors import ProviderError, ProviderFailure
from polyant.domain.limits import ProviderTimeouts
from polyant.testing.event_stream import whole
from polyant.testing.fake_network import FakeNetwork
from polyant.testing.instant_clock import InstantClock
from polyant.testing.provider_scripts import HELLO, events_of, expected_events
from support.logs import collected
from support.openai_replies import openai_responder
from support.upstream import ScriptedUpstream

PUBLIC = "93.184.215.14"


@dataclasses.dataclass(frozen=True)
class Scenario:
    """A network with the public server api.example, and an internal server on the loopback address."""

    network: FakeNetwork
    outside: ScriptedUpstream
    inside: ScriptedUpstream
    model: OpenAIChatModel
    template: ModelRequest

    @property
    def port(self) -> str:
        return self.inside.url.rpartition(":")[2]

    async def call(self, host: str, *, public_only: bool = True) -> list[ModelEvent]:
        url = f"http://{host}/v1"
        request = msgspec.structs.replace(self.template, base_url=url, public_only=public_only, stream=False)
        return await events_of(self.model, request)

    async def refused(self, host: str) -> str:
        with pytest.raises(ProviderError) as caught:
            await self.call(host)
        assert caught.value.kind is ProviderFailure.UNREACHABLE
        return f"{caught.value.explanation}"


@pytest.fixture
async def scenario(
    monkeypatch: pytest.MonkeyPatch, upstream: ScriptedUpstream, clock: InstantClock, model_request: ModelRequest
) -> AsyncIterator[Scenario]:
    network = FakeNetwork(monkeypatch)
    connector = aiohttp.TCPConnector(resolver=network)
    async with (
        ScriptedUpstream() as outside,
        aiohttp.ClientSession(connector=connector) as http,
        PublicHttp(resolver=network) as public_http,
    ):
        upstream.otherwise = outside.otherwise = openai_responder(HELLO, whole)
        network.name("api.example", PUBLIC)
        network.place(PUBLIC, outside.url)
        model = OpenAIChatModel(http=http, clock=clock, timeouts=ProviderTimeouts(), public_http=public_http)
        yield Scenario(network, outside, upstream, model, model_request)


async def test_public_address_is_called(scenario: Scenario) -> None:
    assert await scenario.call("api.example") == expected_events(HELLO, stream=False)
    assert await scenario.call(f"{PUBLIC}:8443") == expected_events(HELLO, stream=False)
    assert len(scenario.outside.posts) == 2


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "::1", "::ffff:127.0.0.1"]
)
async def test_name_that_resolves_to_an_internal_address_is_refused(scenario: Scenario, address: str) -> None:
    scenario.network.name("intranet.example", address)
    with collected("polyant.llm") as records:
        await scenario.refused(f"intranet.example:{scenario.port}")
    assert scenario.network.dialled == []
    assert f"resolves to {address}, which isn't public" in records[0].getMessage()


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "[::ffff:7f00:1]", "2130706433", "0x7f000001", "127.1"])
async def test_address_in_any_spelling_is_refused(scenario: Scenario, host: str) -> None:
    await scenario.refused(f"{host}:{scenario.port}")
    assert scenario.inside._connections == 0


async def test_name_that_changes_its_address_after_the_first_lookup_is_refused(scenario: Scenario) -> None:
    scenario.network.name("rebind.example", PUBLIC, "127.0.0.1")
    await scenario.call("rebind.example")
    await scenario.refused(f"rebind.example:{scenario.port}")
    assert scenario.inside._connections == 0


async def test_connection_that_an_unrestricted_call_opened_is_not_reused(scenario: Scenario) -> None:
    host = f"127.0.0.1:{scenario.port}"
    await scenario.call(host, public_only=False)
    await scenario.refused(host)
    assert len(scenario.inside.posts) == 1


async def test_internal_hosts_and_ports_cannot_be_told_apart(scenario: Scenario) -> None:
    scenario.network.name("open.example", "127.0.0.1")
    scenario.network.name("absent.example", "10.255.255.1")
    hosts = (f"open.example:{scenario.port}", "open.example:1", "absent.example", "unknown.example")
    seen = set()
    for host in hosts:
        with collected("polyant.llm") as records:
            shown = await scenario.refused(host)
        attempts = [record.getMessage() for record in records if "call failed" in record.getMessage()]
        seen.add((shown, len(attempts)))
    assert len(seen) == 1, "the error and the duration, with its retries, are the same"
    assert scenario.network.dialled == []
