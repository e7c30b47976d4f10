from contextlib import aclosing

import aiohttp
import msgspec
import pytest

from polyant.adapters.llm.openai_chat_model import OpenAIChatModel
from polyant.domain.chat import ModelFinished, ModelRequest, Sampling, TextDelta
from polyant.domain.errors import ProviderError, ProviderFailure
from polyant.domain.limits import ProviderTimeouts
from polyant.testing.instant_clock import InstantClock
from polyant.testing.provider_scripts import events_of
from support.openai_replies import openai_responder
from support.upstream import Gate, Received, Reply, ScriptedUpstream, json_reply


@pytest.fixture
def model(http: aiohttp.ClientSession, clock: InstantClock) -> OpenAIChatModel:
    return OpenAIChatModel(http=http, clock=clock, timeouts=ProviderTimeouts())


async def test_options_add_to_the_body_and_the_address(
    upstream: ScriptedUpstream, model: OpenAIChatModel, model_request: ModelRequest
) -> None:
    upstream.otherwise = openai_responder()
    options = {"body": {"reasoning_effort": "low", "temperature": 0.1}, "query": {"api-version": "2026-01-01"}}
    request = msgspec.structs.replace(model_request, options=options, sampling=Sampling(temperature=0.9))
    await events_of(model, request)
    (sent,) = upstream.requests
    assert sent.path == "/v1/chat/completions?api-version=2026-01-01"
    assert (sent.json()["reasoning_effort"], sent.json()["temperature"]) == ("low", 0.1)


async def test_option_names_the_model_behind_a_deployment(
    upstream: ScriptedUpstream, model: OpenAIChatModel, model_request: ModelRequest
) -> None:
    upstream.otherwise = openai_responder()
    request = msgspec.structs.replace(
        model_request, options={"base_model": "gpt-5.4"}, sampling=Sampling(temperature=0.9, max_tokens=7)
    )
    await events_of(model, request)
    sent = upstream.requests[0].json()
    assert (sent["model"], sent["max_completion_tokens"]) == ("some-model", 7)
    assert "temperature" not in sent


async def test_request_has_the_provider_s_form(
    upstream: ScriptedUpstream, model: OpenAIChatModel, model_request: ModelRequest
) -> None:
    upstream.otherwise = openai_responder()
    await events_of(model, model_request)
    (sent,) = upstream.requests
    assert (sent.method, sent.path) == ("POST", "/v1/chat/completions")
    assert sent.headers["authorization"] == "Bearer sk-0123456789abcdef"
    assert sent.headers["content-type"] == "application/json"
    assert sent.json()["model"] == "some-model"


async def test_server_without_a_key_receives_none(
    upstream: ScriptedUpstream, model: OpenAIChatModel, model_request: ModelRequest
) -> None:
    upstream.otherwise = openai_responder()
    await events_of(model, msgspec.structs.replace(model_request, api_key=None))
    assert "authorization" not in upstream.requests[0].headers


async def test_rejected_stream_options_are_not_sent_again(
    upstream: ScriptedUpstream, model: OpenAIChatModel, model_request: ModelRequest, clock: InstantClock
) -> None:
    def strict(request: Received) -> Reply:
        if "stream_options" in request.json():
            detail = [{"type": "extra_forbidden", "loc": ["body", "stream_options", "include_usage"]}]
            return json_reply({"object": "error", "message": {"detail": detail}}, status=422)
        return openai_responder("ant")(request)

    upstream.otherwise = strict
    for _ in range(2):
        assert (await events_of(model, model_request))[0] == TextDelta("ant")
    assert ["stream_options" in sent.json() for sent in upstream.requests] == [True, False, False]
    assert clock.waits == [0.0]


async def test_other_rejection_keeps_stream_options(
    upstream: ScriptedUpstream, model: OpenAIChatModel, model_request: ModelRequest
) -> None:
    upstream.otherwise = json_reply({"error": {"message": "no such model"}}, status=400)
    with pytest.raises(ProviderError) as caught:
        await events_of(model, model_request)
    assert (caught.value.kind, len(upstream.requests)) == (ProviderFailure.BAD_REQUEST, 1)


async def test_retry_discards_the_failed_attempt(
    upstream: ScriptedUpstream, model: OpenAIChatModel, model_request: ModelRequest
) -> None:
    half_a_call = b'data: {"choices":[{"delta":{"tool_calls":[{"id":"a","function":{"name":"weather"}}]}}]}\n\n'
    upstream.replies.extend([Reply(framing="close", pieces=(half_a_call,)), openai_responder("ant")])
    events = await events_of(model, model_request)
    assert [type(event).__name__ for event in events] == ["TextDelta", "ModelFinished"]


async def test_objects_in_lines_are_streamed_as_they_arrive(
    upstream: ScriptedUpstream, model: OpenAIChatModel, model_request: ModelRequest
) -> None:
    lines = [msgspec.json.encode({"choices": [{"delta": {"content": text}}]}) + b"\n" for text in ("a", "b", "c")]
    end, gate = msgspec.json.encode({"choices": [{"delta": {}, "finish_reason": "stop"}]}), Gate()
    ndjson = {"Content-Type": "application/x-ndjson"}
    upstream.otherwise = Reply(headers=ndjson, framing="chunked", pieces=(*lines[:2], gate, lines[2], end))
    async with aclosing(model.generate(model_request)) as events:
        assert [await anext(events), await anext(events)] == [TextDelta("a"), TextDelta("b")]
        gate.open()
        assert [await anext(events), await anext(events)] == [TextDelta("c"), ModelFinished()]
