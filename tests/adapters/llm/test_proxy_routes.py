import aiohttp
import msgspec
import pytest

from polyant.adapters.llm.openai_chat_model import OpenAIChatModel
from polyant.adapters.llm.public_http import PublicHttp
from polyant.domain.chat import ModelRequest, TextDelta
from polyant.domain.errors import ProviderError, ProviderFailure
from polyant.domain.limits import ProviderTimeouts
from polyant.domain.proxies import ProxyRules, parse_proxy
from polyant.domain.proxy_routes import ProxyRoutes
from polyant.testing.instant_clock import InstantClock
from polyant.testing.provider_scripts import events_of
from support.openai_replies import openai_responder
from support.upstream import Reply, ScriptedUpstream

CREDENTIALS = "Basic YW5uOmhpZGRlbi1wYXNzd29yZA=="


@pytest.fixture
def rules(upstream: ScriptedUpstream) -> ProxyRules:
    proxy = parse_proxy(upstream.url.replace("http://", "http://ann:hidden-password@"))
    return ProxyRules(http=proxy, https=proxy, direct_hosts=("direct.invalid",))


@pytest.fixture
def model(http: aiohttp.ClientSession, rules: ProxyRules) -> OpenAIChatModel:
    return OpenAIChatModel(http=http, clock=InstantClock(), timeouts=ProviderTimeouts(), proxies=rules)


async def test_call_over_http_goes_through_the_proxy(
    upstream: ScriptedUpstream, model: OpenAIChatModel, model_request: ModelRequest
) -> None:
    upstream.otherwise = openai_responder("ant")
    request = msgspec.structs.replace(model_request, base_url="http://provider.invalid/v1")
    assert (await events_of(model, request))[0] == TextDelta("ant")
    (sent,) = upstream.requests
    assert sent.path == "http://provider.invalid/v1/chat/completions"
    assert sent.headers["proxy-authorization"] == CREDENTIALS
    assert sent.headers["authorization"].startswith("Bearer ")


async def test_call_over_https_tunnels_through_the_proxy_which_sees_no_key(
    upstream: ScriptedUpstream,
    model: OpenAIChatModel,
    model_request: ModelRequest,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(0)
    upstream.otherwise = Reply(status=407)
    request = msgspec.structs.replace(model_request, base_url="https://provider.invalid/v1")
    with pytest.raises(ProviderError) as caught:
        await events_of(model, request)
    assert caught.value.kind is ProviderFailure.UNREACHABLE
    (sent,) = upstream.requests
    assert (sent.method, sent.path) == ("CONNECT", "provider.invalid:443")
    assert sent.headers["proxy-authorization"] == CREDENTIALS
    assert "authorization" not in sent.headers
    assert "hidden" not in caplog.text + repr(caught.value)
    assert CREDENTIALS not in caplog.text


async def test_availability_check_goes_through_the_proxy(upstream: ScriptedUpstream, model: OpenAIChatModel) -> None:
    upstream.otherwise = Reply()
    await model.check("http://provider.invalid/v1", public_only=False)
    assert upstream.requests[0].path == "http://provider.invalid/v1/models"


async def test_address_that_must_be_public_is_not_called_through_a_proxy(
    http: aiohttp.ClientSession, rules: ProxyRules, upstream: ScriptedUpstream, model_request: ModelRequest
) -> None:
    async with PublicHttp() as public_http:
        model = OpenAIChatModel(
            http=http, clock=InstantClock(), timeouts=ProviderTimeouts(), public_http=public_http, proxies=rules
        )
        request = msgspec.structs.replace(model_request, base_url="http://provider.invalid/v1", public_only=True)
        with pytest.raises(ProviderError) as caught:
            await events_of(model, request)
    assert caught.value.kind is ProviderFailure.UNREACHABLE
    assert upstream.requests == []


def test_route_is_resolved_once_per_origin(rules: ProxyRules) -> None:
    routes = ProxyRoutes(rules)
    route = routes.route_to("http://provider.invalid/v1")
    assert routes.route_to("http://provider.invalid/v2") is route
    assert routes.route_to("http://direct.invalid/v1").proxy is None
    assert "Basic" not in repr(route)
