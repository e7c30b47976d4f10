"""The protocols of OpenAI and Anthropic, as their servers speak them."""

from collections.abc import Iterator
from typing import Any

import msgspec

from polyant.domain.chat import AssistantMessage, ModelMessage, Sampling, ToolCall, ToolResult, ToolSpec, UserMessage
from polyant.domain.errors import ProviderFailure
from polyant.testing.event_stream import Split, whole
from polyant.testing.http_provider import ProviderProtocol
from polyant.testing.provider_scripts import ScriptedAnswer
from polyant.testing.received_calls import ReceivedCall
from polyant.testing.upstream import Received, Reply, Responder, Then
from support.anthropic_replies import anthropic_failure, anthropic_partial_stream, anthropic_responder
from support.openai_replies import openai_failure, openai_partial_stream, openai_responder

_SAMPLING = frozenset(Sampling.__struct_fields__) - {"stop"}


class OpenAIProtocol(ProviderProtocol):
    """The Chat Completions API; the streams are split by a function."""

    def __init__(self, split: Split = whole) -> None:
        self._split = split

    def answer(self, answer: ScriptedAnswer) -> Responder:
        return openai_responder(answer, self._split)

    def failure(self, kind: ProviderFailure) -> Responder:
        return openai_failure(kind)

    def partial_stream(self, *text: str, then: Then) -> Reply:
        return openai_partial_stream(*text, then=then)

    def received(self, request: Received) -> ReceivedCall:
        body = request.json()
        system = [message["content"] for message in body["messages"] if message["role"] == "system"]
        functions = [tool["function"] for tool in body.get("tools", ())]
        return ReceivedCall(
            api_key=_bearer(request),
            model=body["model"],
            system="".join(system),
            messages=tuple(_openai_message(each) for each in body["messages"] if each["role"] != "system"),
            tools=tuple(_tool(each["name"], each["description"], each["parameters"]) for each in functions),
            sampling=_sampling(body, body.get("stop", ())),
            stream=body.get("stream", False),
        )


class AnthropicProtocol(ProviderProtocol):
    """The Messages API; the streams are split by a function."""

    def __init__(self, split: Split = whole) -> None:
        self._split = split

    def answer(self, answer: ScriptedAnswer) -> Responder:
        return anthropic_responder(answer, self._split)

    def failure(self, kind: ProviderFailure) -> Responder:
        return anthropic_failure(kind)

    def partial_stream(self, *text: str, then: Then) -> Reply:
        return anthropic_partial_stream(*text, then=then)

    def received(self, request: Received) -> ReceivedCall:
        body = request.json()
        forbidden = body.get("tool_choice", {}).get("type") == "none"
        offered = () if forbidden else body.get("tools", ())
        return ReceivedCall(
            api_key=request.headers.get("x-api-key"),
            model=body["model"],
            system="".join(block["text"] for block in body.get("system", ())),
            messages=tuple(each for message in body["messages"] for each in _anthropic_messages(message)),
            tools=tuple(_tool(each["name"], each["description"], each["input_schema"]) for each in offered),
            sampling=_sampling(body, body.get("stop_sequences", ())),
            stream=body.get("stream", False),
        )


def _bearer(request: Received) -> str | None:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    return key if scheme == "Bearer" else None


def _tool(name: str, description: str, schema: dict[str, Any]) -> ToolSpec:
    return ToolSpec(name=name, description=description, parameters=msgspec.Raw(msgspec.json.encode(schema)))


def _sampling(body: dict[str, Any], stop: list[str]) -> Sampling:
    return Sampling(stop=tuple(stop), **{name: body[name] for name in _SAMPLING if name in body})


def _openai_message(message: dict[str, Any]) -> ModelMessage:
    match message["role"]:
        case "user":
            return UserMessage.of(message["content"])
        case "tool":
            return ToolResult(call_id=message["tool_call_id"], content=message["content"])
        case _:
            calls = message.get("tool_calls", ())
            return AssistantMessage(
                message["content"] or "", tuple(ToolCall(id=each["id"], **each["function"]) for each in calls)
            )


def _anthropic_messages(message: dict[str, Any]) -> Iterator[ModelMessage]:
    blocks = message["content"]
    text = "".join(block["text"] for block in blocks if block["type"] == "text")
    if message["role"] == "assistant":
        called = [block for block in blocks if block["type"] == "tool_use"]
        calls = (
            ToolCall(id=each["id"], name=each["name"], arguments=msgspec.json.encode(each["input"]).decode())
            for each in called
        )
        yield AssistantMessage(text, tuple(calls))
        return
    for block in blocks:
        if block["type"] == "tool_result":
            yield ToolResult(call_id=block["tool_use_id"], content=block["content"])
    if text:
        yield UserMessage.of(text)
