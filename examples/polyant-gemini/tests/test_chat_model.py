from base64 import b64decode
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import msgspec
import pytest
from gemini_protocol import KEY_HEADER, SIGNATURE, GeminiProtocol, body_of, error
from polyant_gemini.chat_model import GeminiChatModel

from polyant import llm
from polyant.domain.chat import (
    AssistantMessage,
    ModelEvent,
    ModelFinished,
    ProviderFields,
    Sampling,
    TextDelta,
    TextPart,
    ToolCall,
    ToolResult,
    UserMessage,
)
from polyant.domain.errors import ProviderError, ProviderFailure
from polyant.domain.limits import ProviderTimeouts
from polyant.domain.media.parts import AudioPart, DocumentPart, ImagePart
from polyant.domain.proxies import ProxyRules
from polyant.domain.trace_context import TraceContext
from polyant.testing.chat_model import RemoteChatModelContract
from polyant.testing.event_stream import at_random, byte_by_byte, event, stream
from polyant.testing.http_provider import HttpProviderRig
from polyant.testing.instant_clock import InstantClock
from polyant.testing.provider_scripts import CALLS, HELLO, TOOL, ScriptedAnswer, events_of
from polyant.testing.sent_requests import ChatModelCapabilities
from polyant.testing.upstream import ScriptedUpstream, json_reply

TWO_CALLS = ScriptedAnswer(tool_calls=CALLS, finish_reason="tool_calls")
LOOK = TextPart("What is this?")
GIF = ImagePart(media_type="image/gif", data=b"GIF89a\xff")
MEDIA = (
    ImagePart(media_type="image/png", data=b"\x89PNG\xff"),
    AudioPart(media_type="audio/ogg", data=b"OggS\xff"),
    DocumentPart(media_type="application/pdf", data=b"%PDF-1.7\n\xff"),
)


class Gemini:
    """The model, and the scripted server that it calls."""

    def __init__(self, upstream: ScriptedUpstream, http: aiohttp.ClientSession, public: llm.PublicHttp) -> None:
        self.clock = InstantClock()
        self.upstream = upstream
        self.model = GeminiChatModel(
            http=http, public_http=public, clock=self.clock, timeouts=ProviderTimeouts(), proxies=ProxyRules()
        )

    def rig(self, protocol: GeminiProtocol) -> HttpProviderRig:
        return HttpProviderRig(self.upstream, self.model, protocol, clock=self.clock, path="/v1beta")

    @property
    def body(self) -> Any:
        return self.upstream.posts[-1].json()

    async def ask(self, protocol: GeminiProtocol | None = None, **changes: Any) -> list[ModelEvent]:
        rig = self.rig(protocol or GeminiProtocol())
        if not self.upstream.replies and protocol is None:
            rig.answering(HELLO)
        return await events_of(self.model, msgspec.structs.replace(rig.request, **changes))


@pytest.fixture
async def gemini() -> AsyncIterator[Gemini]:
    async with ScriptedUpstream() as upstream, aiohttp.ClientSession() as http, llm.PublicHttp() as public:
        yield Gemini(upstream, http, public)


class TestGeminiChatModel(RemoteChatModelContract):
    """Gemini 3, which sends ids and requires signatures."""

    @pytest.fixture
    def provider(self, gemini: Gemini) -> HttpProviderRig:
        return gemini.rig(GeminiProtocol(byte_by_byte))


class TestModelWithoutCallIds(RemoteChatModelContract):
    """Gemini 2.5, which sends neither."""

    capabilities = ChatModelCapabilities(call_ids=False)

    @pytest.fixture
    def provider(self, gemini: Gemini) -> HttpProviderRig:
        return gemini.rig(GeminiProtocol(at_random(0), ids=False))


def reply_to(events: list[ModelEvent], rename: Callable[[str], str] = str) -> tuple[AssistantMessage, list[ToolResult]]:
    """Returns the message of a response and the results of its calls, as a Supervisor builds them."""
    calls = [msgspec.structs.replace(each, id=rename(each.id)) for each in events if isinstance(each, ToolCall)]
    finished = events[-1]
    assert isinstance(finished, ModelFinished)
    text = "".join(each.text for each in events if isinstance(each, TextDelta))
    results = [ToolResult(call_id=call.id, content=f"{number} degrees") for number, call in enumerate(calls)]
    return AssistantMessage(text, tuple(calls), finished.provider_data), results


@pytest.mark.parametrize("ids", [True, False], ids=["ids", "no ids"])
@pytest.mark.parametrize("streamed", [True, False], ids=["stream", "whole"])
async def test_parts_with_signatures_return_unchanged(gemini: Gemini, *, ids: bool, streamed: bool) -> None:
    protocol = GeminiProtocol(ids=ids)
    parts: list[dict[str, Any]] = [
        {"text": "I should look.", "thought": True},
        {"text": "Let me "},
        {"text": "see.", "thoughtSignature": "YQ=="},
        *protocol._calls(TWO_CALLS),
    ]
    gemini.upstream.replies.append(protocol.responder(parts, TWO_CALLS))
    events = await gemini.ask(protocol, stream=streamed, tools=(TOOL,))
    message, results = reply_to(events, rename=lambda call_id: f"renamed_{call_id}")
    assert message.content == "Let me see."
    gemini.upstream.replies.append(protocol.answer(HELLO))
    await gemini.ask(protocol, stream=streamed, messages=(UserMessage.of("?"), message, *results), tools=(TOOL,))
    _, sent, returned = gemini.body["contents"]
    assert sent == {"role": "model", "parts": parts}
    own_ids = [{"id": call.id} if ids else {} for call in CALLS]
    assert [part["functionResponse"] for part in returned["parts"]] == [
        {**own_id, "name": "weather", "response": {"output": f"{number} degrees"}}
        for number, own_id in enumerate(own_ids)
    ]


async def test_signature_in_an_empty_text_is_kept(gemini: Gemini) -> None:
    """A stream sends the signature of a text at its end, in a part of its own."""
    protocol = GeminiProtocol()
    signed = {"text": "", "thoughtSignature": SIGNATURE}
    gemini.upstream.replies.append(protocol.responder([{"text": "Hi"}, signed], HELLO))
    message, _ = reply_to(await gemini.ask(protocol, stream=True))
    gemini.upstream.replies.append(protocol.answer(HELLO))
    await gemini.ask(protocol, messages=(UserMessage.of("?"), message, UserMessage.of("And?")))
    assert gemini.body["contents"][1]["parts"] == [{"text": "Hi"}, signed]


async def test_signature_goes_only_to_the_model_that_wrote_it(gemini: Gemini) -> None:
    protocol = GeminiProtocol()
    gemini.upstream.replies.append(protocol.answer(TWO_CALLS))
    message, results = reply_to(await gemini.ask(protocol, tools=(TOOL,)))
    await gemini.ask(model="other-model", messages=(UserMessage.of("?"), message, *results))
    first, second = (part for part in gemini.body["contents"][1]["parts"] if "functionCall" in part)
    assert first["thoughtSignature"] == "skip_thought_signature_validator"
    assert "thoughtSignature" not in second


async def test_state_is_in_no_repr(gemini: Gemini) -> None:
    protocol = GeminiProtocol()
    gemini.upstream.replies.append(protocol.answer(TWO_CALLS))
    assert SIGNATURE not in repr(await gemini.ask(protocol, tools=(TOOL,)))


@pytest.mark.parametrize("streamed", [True, False], ids=["stream", "whole"])
async def test_key_is_sent_only_in_its_header(gemini: Gemini, *, streamed: bool) -> None:
    trace = TraceContext(trace_id="0af7651916cd43dd8448eb211c80319c", span_id="b7ad6b7169203331")
    await gemini.ask(stream=streamed, trace=trace)
    (sent,) = gemini.upstream.posts
    key = sent.headers[KEY_HEADER]
    assert [name for name, value in sent.headers.items() if key in value] == [KEY_HEADER]
    assert key not in f"{sent.path} {sent.body!r}"
    assert sent.headers["traceparent"].split("-")[1] == trace.trace_id


@pytest.mark.parametrize("name", ["models/gemini-x", "gemini-x"])
async def test_model_name_may_have_its_prefix(gemini: Gemini, name: str) -> None:
    await gemini.ask(model=name)
    assert gemini.upstream.posts[0].path == "/v1beta/models/gemini-x:generateContent"


async def test_model_name_changes_no_other_part_of_the_address(gemini: Gemini) -> None:
    await gemini.ask(model="../x?key=1#")
    assert gemini.upstream.posts[0].path == "/v1beta/models/..%2Fx%3Fkey=1%23:generateContent"


@pytest.mark.parametrize("seed", [2**40 + 5, -1])
async def test_seed_is_within_the_range_of_the_api(gemini: Gemini, seed: int) -> None:
    await gemini.ask(sampling=Sampling(seed=seed))
    assert gemini.body["generationConfig"]["seed"] == seed % 2**31


async def test_media_are_sent_byte_for_byte_in_order(gemini: Gemini) -> None:
    await gemini.ask(messages=(UserMessage((LOOK, *MEDIA)),))
    text, *sent = gemini.body["contents"][0]["parts"]
    assert text == {"text": LOOK.text}
    found = [(each["inlineData"]["mimeType"], b64decode(each["inlineData"]["data"])) for each in sent]
    assert found == [(part.media_type, part.data) for part in MEDIA]


async def test_model_sees_the_name_of_a_document(gemini: Gemini) -> None:
    document = DocumentPart(media_type="application/pdf", data=b"%PDF", name="bill.pdf")
    await gemini.ask(messages=(UserMessage((document,)),))
    assert gemini.body["contents"][0]["parts"][0] == {"text": "bill.pdf"}


async def test_model_says_that_it_cannot_look_at_a_gif(gemini: Gemini) -> None:
    await gemini.ask(messages=(UserMessage((LOOK, GIF)),))
    _, note = gemini.body["contents"][0]["parts"]
    assert "can't look at pictures" in note["text"]


async def test_request_is_repeated_without_media_that_the_model_refuses(gemini: Gemini) -> None:
    refusal = "Image input modality is not enabled for models/gemini-x"
    gemini.upstream.replies += [error(400, "INVALID_ARGUMENT", refusal), GeminiProtocol().answer(HELLO)]
    await gemini.ask(messages=(UserMessage((LOOK, MEDIA[0])),))
    assert len(gemini.upstream.posts) == 2
    assert all("inlineData" not in part for part in gemini.body["contents"][0]["parts"])


SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "additionalProperties": False}


@pytest.mark.parametrize(
    ("requested", "sent"),
    [
        ({"type": "json_object"}, {"responseMimeType": "application/json"}),
        (
            {"type": "json_schema", "json_schema": {"name": "city", "schema": SCHEMA}},
            {"responseMimeType": "application/json", "responseJsonSchema": SCHEMA},
        ),
        ({"type": "text"}, {}),
    ],
)
async def test_response_format_is_sent(gemini: Gemini, requested: object, sent: object) -> None:
    fields = ProviderFields(response_format=msgspec.Raw(msgspec.json.encode(requested)))
    await gemini.ask(provider_fields=fields)
    assert gemini.body.get("generationConfig", {}) == sent


@pytest.mark.parametrize("streamed", [True, False], ids=["stream", "whole"])
async def test_blocked_prompt_ends_with_the_content_filter(gemini: Gemini, *, streamed: bool) -> None:
    blocked = {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "usageMetadata": {"promptTokenCount": 7}}
    gemini.upstream.replies.append(stream([event(blocked)]) if streamed else json_reply(blocked))
    (finished,) = await gemini.ask(stream=streamed)
    assert isinstance(finished, ModelFinished)
    assert (finished.finish_reason, finished.usage.prompt_tokens) == ("content_filter", 7)


@pytest.mark.parametrize("reason", ["MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL"])
async def test_invalid_call_of_the_model_is_retried(gemini: Gemini, reason: str) -> None:
    invalid = json_reply({"candidates": [{"finishReason": reason, "index": 0}]})
    gemini.upstream.replies += [invalid, GeminiProtocol().answer(HELLO)]
    events = await gemini.ask(tools=(TOOL,))
    assert events[0] == TextDelta("".join(HELLO.text))


async def ask_for_error(gemini: Gemini, request: dict[str, Any]) -> ProviderFailure:
    with pytest.raises(ProviderError) as caught:
        await gemini.ask(**request)
    return caught.value.kind


async def test_error_in_mid_stream_has_its_kind(gemini: Gemini) -> None:
    failed = {"error": {"code": 503, "status": "UNAVAILABLE", "message": "overloaded"}}
    start = body_of([{"text": "Hel"}], {"index": 0})
    gemini.upstream.otherwise = stream([event(start), event(failed)])
    gemini.upstream.replies.append(gemini.upstream.otherwise)
    assert await ask_for_error(gemini, {"stream": True}) is ProviderFailure.OVERLOADED
    assert len(gemini.upstream.posts) == 1


RUBBISH: tuple[object, ...] = (
    [],
    {"candidates": {}},
    {"candidates": [{"content": {"parts": [{"text": 7}]}, "finishReason": "STOP"}]},
    {"candidates": [{"content": {"parts": [{"functionCall": "x"}]}, "finishReason": "STOP"}]},
    {"candidates": [{"content": {"parts": [{"functionCall": {"args": {}}}]}, "finishReason": "STOP"}]},
    {"candidates": [{"content": {"parts": [{"text": "cut"}]}}]},
)


@pytest.mark.parametrize("rubbish", RUBBISH)
async def test_rubbish_is_a_bad_response(gemini: Gemini, rubbish: object) -> None:
    gemini.upstream.replies.extend([json_reply(rubbish)] * 3)
    assert await ask_for_error(gemini, {}) is ProviderFailure.BAD_RESPONSE


async def test_odd_counts_and_ids_are_no_failure(gemini: Gemini) -> None:
    odd = body_of([{"functionCall": {"id": 7, "name": "weather"}}], {"finishReason": "NEW_REASON"})
    gemini.upstream.replies.append(json_reply(odd | {"usageMetadata": {"promptTokenCount": "7"}}))
    call, finished = await gemini.ask(tools=(TOOL,))
    assert isinstance(call, ToolCall)
    assert isinstance(finished, ModelFinished)
    assert (call.id, call.arguments, finished.finish_reason) == ("7", "{}", "tool_calls")
