import aiohttp
import msgspec
import pytest

from polyant.adapters.llm.anthropic_chat_model import AnthropicChatModel
from polyant.domain.chat import ModelRequest, TextDelta
from polyant.domain.errors import ProviderError, ProviderFailure
from polyant.domain.limits import ProviderTimeouts
from polyant.testing.event_stream import event, stream
from polyant.testing.instant_clock import InstantClock
from polyant.testing.provider_scripts import HELLO, events_of, expected_events
from support.anthropic_replies import anthropic_events, anthropic_partial_stream, anthropic_responder
from support.upstream import ScriptedUpstream, Then

OVERLOADED = event({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, "error")


@pytest.fixture
def model(http: aiohttp.ClientSession, clock: InstantClock) -> AnthropicChatModel:
    return AnthropicChatModel(http=http, clock=clock, timeouts=ProviderTimeouts())


async def test_request_has_the_provider_s_form(
    upstream: ScriptedUpstream, model: AnthropicChatModel, model_request: ModelRequest
) -> None:
    upstream.otherwise = anthropic_responder()
    await events_of(model, model_request)
    (sent,) = upstream.requests
    assert (sent.method, sent.path) == ("POST", "/v1/messages")
    assert sent.headers["x-api-key"] == "sk-0123456789abcdef"
    assert sent.headers["anthropic-version"] == "2023-06-01"
    assert "authorization" not in sent.headers


async def test_server_without_a_key_receives_none(
    upstream: ScriptedUpstream, model: AnthropicChatModel, model_request: ModelRequest
) -> None:
    upstream.otherwise = anthropic_responder()
    await events_of(model, msgspec.structs.replace(model_request, api_key=None))
    assert "x-api-key" not in upstream.requests[0].headers


async def test_stream_that_starts_with_an_error_is_retried(
    upstream: ScriptedUpstream, model: AnthropicChatModel, model_request: ModelRequest
) -> None:
    upstream.replies.extend([stream([OVERLOADED]), anthropic_responder()])
    assert await events_of(model, model_request) == expected_events(HELLO, stream=True)


async def test_error_in_mid_stream_ends_the_stream(
    upstream: ScriptedUpstream, model: AnthropicChatModel, model_request: ModelRequest
) -> None:
    begun = anthropic_partial_stream("Hel", then=Then.CUT).pieces[:-1]
    upstream.otherwise = stream([*(piece for piece in begun if isinstance(piece, bytes)), OVERLOADED])
    events = model.generate(model_request)
    assert await anext(events) == TextDelta("Hel")
    with pytest.raises(ProviderError) as caught:
        await anext(events)
    assert (caught.value.kind, len(upstream.requests)) == (ProviderFailure.OVERLOADED, 1)


async def test_connection_of_a_finished_stream_is_reused(
    upstream: ScriptedUpstream, model: AnthropicChatModel, model_request: ModelRequest
) -> None:
    upstream.otherwise = anthropic_responder()
    for _ in range(3):
        await events_of(model, model_request)
    assert [request.connection for request in upstream.requests] == [1, 1, 1]


async def test_stream_cut_after_its_stop_reason_is_complete(
    upstream: ScriptedUpstream, model: AnthropicChatModel, model_request: ModelRequest
) -> None:
    upstream.otherwise = stream(anthropic_events(HELLO), Then.CUT)
    assert await events_of(model, model_request) == expected_events(HELLO, stream=True)
