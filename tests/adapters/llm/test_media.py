"""Images, recordings and documents reach the providers byte for byte, and a model that can't take them says so."""

from base64 import b64decode
from collections.abc import Callable
from typing import Any

import aiohttp
import msgspec
import pytest

from polyant.adapters.llm.anthropic_chat_model import AnthropicChatModel
from polyant.adapters.llm.anthropic_request import encode_request as encode_for_anthropic
from polyant.adapters.llm.openai_chat_model import OpenAIChatModel
from polyant.domain.chat import AssistantMessage, ModelRequest, TextPart, UserMessage
from polyant.domain.errors import ProviderError
from polyant.domain.limits import ProviderTimeouts
from polyant.domain.media.images import check_image
from polyant.domain.media.parts import AudioPart, DocumentPart, ImagePart
from polyant.domain.ports.chat_model import ChatModel
from polyant.testing.instant_clock import InstantClock
from polyant.testing.provider_scripts import events_of
from support.anthropic_replies import anthropic_responder
from support.images import IMAGE_CASES
from support.openai_replies import openai_responder
from support.upstream import Received, Reply, ScriptedUpstream, json_reply

PNG = check_image(IMAGE_CASES["png"])
WAV = AudioPart(media_type="audio/wav", data=b"RIFF\0\0\0\0WAVE\xff")
PDF = DocumentPart(media_type="application/pdf", data=b"%PDF-1.7\n\xff", name="bill.pdf")
LOOK = TextPart("What is this?")
NOTE = "can't look at pictures"


def asking(template: ModelRequest, *parts: Any) -> ModelRequest:
    return msgspec.structs.replace(template, messages=(UserMessage(parts),), stream=False, deadline=10_000.0)


@pytest.fixture
def openai(http: aiohttp.ClientSession, clock: InstantClock) -> OpenAIChatModel:
    return OpenAIChatModel(http=http, clock=clock, timeouts=ProviderTimeouts())


@pytest.fixture
def anthropic(http: aiohttp.ClientSession, clock: InstantClock) -> AnthropicChatModel:
    return AnthropicChatModel(http=http, clock=clock, timeouts=ProviderTimeouts())


@pytest.mark.parametrize("name", IMAGE_CASES)
async def test_image_without_location_reaches_openai_compatible_servers_byte_for_byte(
    upstream: ScriptedUpstream, openai: OpenAIChatModel, model_request: ModelRequest, name: str
) -> None:
    upstream.otherwise = openai_responder()
    image = check_image(IMAGE_CASES[name], detail="low")
    await events_of(openai, asking(model_request, LOOK, image))
    text, sent = upstream.requests[0].json()["messages"][-1]["content"]
    assert text == {"type": "text", "text": "What is this?"}
    head, _, encoded = sent["image_url"]["url"].partition(",")
    assert (sent["type"], head, sent["image_url"]["detail"]) == ("image_url", f"data:{image.media_type};base64", "low")
    assert b64decode(encoded, validate=True) == IMAGE_CASES[name]


@pytest.mark.parametrize("name", IMAGE_CASES)
async def test_image_without_location_reaches_anthropic_byte_for_byte(
    upstream: ScriptedUpstream, anthropic: AnthropicChatModel, model_request: ModelRequest, name: str
) -> None:
    upstream.otherwise = anthropic_responder()
    image = check_image(IMAGE_CASES[name])
    await events_of(anthropic, asking(model_request, image, LOOK))
    sent, text = upstream.requests[0].json()["messages"][-1]["content"]
    assert text == {"type": "text", "text": "What is this?"}
    source = sent["source"]
    assert (sent["type"], source["type"], source["media_type"]) == ("image", "base64", image.media_type)
    assert b64decode(source["data"], validate=True) == IMAGE_CASES[name]


async def test_recordings_and_documents_have_openai_s_form(
    upstream: ScriptedUpstream, openai: OpenAIChatModel, model_request: ModelRequest
) -> None:
    upstream.otherwise = openai_responder()
    mp3 = AudioPart(media_type="audio/mpeg", data=b"ID3")
    await events_of(openai, asking(model_request, WAV, mp3, PDF, TextPart(" ")))
    wav, other, file = upstream.requests[0].json()["messages"][-1]["content"]
    assert (wav["type"], wav["input_audio"]["format"]) == ("input_audio", "wav")
    assert b64decode(wav["input_audio"]["data"]) == WAV.data
    assert other["input_audio"]["format"] == "mp3"
    assert file["file"]["filename"] == "bill.pdf"
    assert b64decode(file["file"]["file_data"].removeprefix("data:application/pdf;base64,")) == PDF.data


async def test_documents_have_anthropic_s_form(
    upstream: ScriptedUpstream, anthropic: AnthropicChatModel, model_request: ModelRequest
) -> None:
    upstream.otherwise = anthropic_responder()
    await events_of(anthropic, asking(model_request, PDF, TextPart(" ")))
    (file,) = upstream.requests[0].json()["messages"][-1]["content"]
    assert (file["type"], file["title"], file["source"]["media_type"]) == ("document", "bill.pdf", "application/pdf")
    assert b64decode(file["source"]["data"]) == PDF.data


async def test_recording_in_a_form_without_a_name_becomes_a_note(
    upstream: ScriptedUpstream, openai: OpenAIChatModel, anthropic: AnthropicChatModel, model_request: ModelRequest
) -> None:
    ogg = AudioPart(media_type="audio/ogg", data=b"OggS")
    upstream.otherwise = openai_responder()
    await events_of(openai, asking(model_request, ogg))
    upstream.otherwise = anthropic_responder()
    await events_of(anthropic, asking(model_request, WAV))
    contents = [request.json()["messages"][-1]["content"] for request in upstream.requests]
    assert "can't listen to recordings" in contents[0]
    assert "can't listen to recordings" in contents[1][0]["text"]


def test_anthropic_caches_a_conversation_up_to_its_last_image(model_request: ModelRequest) -> None:
    messages = (UserMessage((LOOK, PNG)), AssistantMessage("A cat."), UserMessage((PDF,)))
    sent = msgspec.json.decode(encode_for_anthropic(msgspec.structs.replace(model_request, messages=messages)))
    assert [message["content"][-1].get("cache_control") for message in sent["messages"][::2]] == [
        {"type": "ephemeral"}
    ] * 2


REFUSALS = {
    "OpenAI": (400, "Invalid content type. image_url is only supported by certain models."),
    "vLLM": (400, "some-model is not a multimodal model"),
    "DeepSeek": (422, "messages[1]: unknown variant `image_url`, expected `text`"),
    "Groq": (400, "'messages.1' : for 'role:user' the following must be satisfied: content must be a string"),
    "OpenRouter": (404, "No endpoints found that support image input"),
    "llama.cpp": (500, "image input is not supported - hint: you may need to provide the mmproj"),
    "Ollama": (500, "this model is missing data required for image input"),
    "Anthropic": (400, "'claude-2.1' does not support image input."),
}


def refusing(status: int, message: str, otherwise: Callable[[Received], Reply]) -> Callable[[Received], Reply]:
    def respond(received: Received) -> Reply:
        if b"image_url" in received.body or b'"image"' in received.body:
            return json_reply({"error": {"message": message}}, status=status)
        return otherwise(received)

    return respond


@pytest.mark.parametrize("name", REFUSALS)
async def test_model_that_refuses_images_is_told_to_say_so_and_answers_the_text(
    upstream: ScriptedUpstream, openai: OpenAIChatModel, model_request: ModelRequest, clock: InstantClock, name: str
) -> None:
    upstream.otherwise = refusing(*REFUSALS[name], openai_responder())
    assert await events_of(openai, asking(model_request, LOOK, PNG))
    _, second = upstream.requests
    content = second.json()["messages"][-1]["content"]
    assert content.startswith("What is this?\n\n[The user sent an image")
    assert content.count(NOTE) == 1
    assert clock.waits == [0.0]
    await events_of(openai, asking(model_request, LOOK, PNG))
    assert len(upstream.requests) == 3  # remembered
    clock.advance(601)
    await events_of(openai, asking(model_request, LOOK, PNG))
    assert len(upstream.requests) == 5


async def test_anthropic_model_that_refuses_images_answers_the_text(
    upstream: ScriptedUpstream, anthropic: AnthropicChatModel, model_request: ModelRequest
) -> None:
    upstream.otherwise = refusing(*REFUSALS["Anthropic"], anthropic_responder())
    await events_of(anthropic, asking(model_request, PNG, LOOK))
    (text,) = upstream.requests[1].json()["messages"][-1]["content"]
    assert text["text"].startswith("What is this?\n\n[The user sent an image")
    assert text["text"].count(NOTE) == 1


async def test_refusal_of_one_image_is_not_remembered(
    upstream: ScriptedUpstream, openai: OpenAIChatModel, model_request: ModelRequest
) -> None:
    upstream.otherwise = refusing(400, "image exceeds 5 MB maximum, which is not supported", openai_responder())
    for _ in range(2):
        await events_of(openai, asking(model_request, LOOK, PNG))
    assert len(upstream.requests) == 4


async def test_other_errors_with_images_stay_errors(
    upstream: ScriptedUpstream, openai: OpenAIChatModel, anthropic: AnthropicChatModel, model_request: ModelRequest
) -> None:
    models: tuple[ChatModel, ...] = (openai, anthropic)
    for model in models:
        upstream.otherwise = lambda _: json_reply({"error": {"message": "max_tokens is too large"}}, status=400)
        with pytest.raises(ProviderError):
            await events_of(model, asking(model_request, LOOK, PNG))
    assert len(upstream.requests) == 2


async def test_refused_images_of_older_messages_leave_a_marker_alone(
    upstream: ScriptedUpstream, openai: OpenAIChatModel, model_request: ModelRequest
) -> None:
    upstream.otherwise = refusing(*REFUSALS["OpenAI"], openai_responder())
    messages = (UserMessage((PNG,)), AssistantMessage("I can't."), UserMessage.of("Why?"))
    await events_of(openai, msgspec.structs.replace(model_request, messages=messages, stream=False))
    sent = upstream.requests[1].json()["messages"]
    assert [message["content"] for message in sent[1:]] == [
        "[An image of this message left out here.]",
        "I can't.",
        "Why?",
    ]


def test_content_appears_in_no_repr() -> None:
    parts = (ImagePart(media_type="image/png", data=b"canary"), AudioPart(media_type="audio/wav", data=b"canary"))
    document = DocumentPart(media_type="application/pdf", data=b"canary", name="canary.pdf")
    assert "canary" not in repr(UserMessage((*parts, document)))
