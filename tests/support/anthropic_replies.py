"""Replies in Anthropic's protocol, from a server that rejects the requests that Anthropic rejects."""

from collections.abc import Iterator
from typing import Any

import msgspec

from polyant.domain.chat import ToolCall
from polyant.domain.errors import ProviderFailure
from polyant.testing.event_stream import Split, event, stream, whole
from polyant.testing.provider_scripts import HELLO, PROVIDER_TEXT, ScriptedAnswer
from support.upstream import DROP, Received, Reply, Responder, Then, json_reply

_FAILURES = {
    ProviderFailure.AUTH: (401, "authentication_error"),
    ProviderFailure.RATE_LIMIT: (429, "rate_limit_error"),
    ProviderFailure.BAD_REQUEST: (400, "invalid_request_error"),
    ProviderFailure.OVERLOADED: (529, "overloaded_error"),
    ProviderFailure.TIMEOUT: (504, "timeout_error"),
}
_STOP_REASONS = {
    "stop": "end_turn",
    "tool_calls": "tool_use",
    "length": "max_tokens",
    "content_filter": "refusal",
}
_PING = event({"type": "ping"}, "ping")
_STOP = event({"type": "message_stop"}, "message_stop")


def anthropic_responder(answer: ScriptedAnswer | str = HELLO, split: Split = whole) -> Responder:
    """Returns a responder that sends the answer, streamed if the request asks for a stream."""
    scripted = ScriptedAnswer(text=(answer,)) if isinstance(answer, str) else answer

    def respond(request: Received) -> Reply:
        body = request.json()
        if reason := _objection(request, body):
            return _error(400, "invalid_request_error", reason)
        if not body.get("stream"):
            return json_reply(_message(scripted))
        return stream([*anthropic_events(scripted), _STOP], split=split)

    return respond


def anthropic_failure(kind: ProviderFailure) -> Responder:
    """Returns a responder that fails in the given way, with an error text that must not reach users."""

    def respond(request: Received) -> Reply:
        if kind is ProviderFailure.UNREACHABLE:
            return DROP
        key = request.headers.get("x-api-key", "")
        if kind is ProviderFailure.BAD_RESPONSE:
            return json_reply({"unexpected": f"{PROVIDER_TEXT} {key}"})
        status, name = _FAILURES[kind]
        return _error(status, name, f"{PROVIDER_TEXT} {key}", request_id=key)

    return respond


def anthropic_partial_stream(*text: str, then: Then) -> Reply:
    """Returns a stream that sends the text and then misbehaves as `then` specifies."""
    return stream(anthropic_events(ScriptedAnswer(text=text), ended=False), then)


def anthropic_events(answer: ScriptedAnswer, *, ended: bool = True) -> Iterator[bytes]:
    """Yields the events of a stream, including the stop reason if it has `ended`."""
    usage = {**_prompt_counts(answer), "output_tokens": 1}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "content": [], "usage": usage}
    yield event({"type": "message_start", "message": {**message, "stop_reason": None}}, "message_start")
    yield _PING
    yield from _text_events(answer.text)
    for index, call in enumerate(answer.tool_calls, start=1):
        yield from _call_events(index, call)
    if ended:
        delta = {"stop_reason": _STOP_REASONS[answer.finish_reason], "stop_sequence": None}
        counts = {"output_tokens": answer.usage.completion_tokens}
        yield event({"type": "message_delta", "delta": delta, "usage": counts}, "message_delta")


def _prompt_counts(answer: ScriptedAnswer) -> dict[str, int]:
    cached = answer.usage.cached_tokens
    return {"input_tokens": answer.usage.prompt_tokens - cached, "cache_read_input_tokens": cached}


def _text_events(texts: tuple[str, ...]) -> Iterator[bytes]:
    yield _block_start(0, {"type": "text", "text": ""})
    for text in texts:
        yield _block_delta(0, {"type": "text_delta", "text": text})
    yield _block_stop(0)


def _call_events(index: int, call: ToolCall) -> Iterator[bytes]:
    yield _block_start(index, {"type": "tool_use", "id": call.id, "name": call.name, "input": {}})
    yield _block_delta(index, {"type": "input_json_delta", "partial_json": ""})
    for start in range(0, len(call.arguments), 7):
        piece = call.arguments[start : start + 7]
        yield _block_delta(index, {"type": "input_json_delta", "partial_json": piece})
    yield _block_stop(index)


def _block_start(index: int, block: dict[str, Any]) -> bytes:
    return event({"type": "content_block_start", "index": index, "content_block": block}, "content_block_start")


def _block_delta(index: int, delta: dict[str, Any]) -> bytes:
    return event({"type": "content_block_delta", "index": index, "delta": delta}, "content_block_delta")


def _block_stop(index: int) -> bytes:
    return event({"type": "content_block_stop", "index": index}, "content_block_stop")


def _message(answer: ScriptedAnswer) -> dict[str, Any]:
    text = [{"type": "text", "text": "".join(answer.text)}] if answer.text else []
    calls = [
        {"type": "tool_use", "id": call.id, "name": call.name, "input": msgspec.Raw(call.arguments.encode())}
        for call in answer.tool_calls
    ]
    usage = {**_prompt_counts(answer), "output_tokens": answer.usage.completion_tokens}
    stop_reason = _STOP_REASONS[answer.finish_reason]
    return {"type": "message", "content": [*text, *calls], "stop_reason": stop_reason, "usage": usage}


def _error(status: int, name: str, message: str, request_id: str = "req_1") -> Reply:
    error = {"type": "error", "error": {"type": name, "message": message}}
    return json_reply(error, status=status, headers={"request-id": request_id})


def _objection(request: Received, body: dict[str, Any]) -> str | None:
    if request.headers.get("anthropic-version") != "2023-06-01":
        return "the version header is missing"
    if not isinstance(body.get("max_tokens"), int):
        return "max_tokens is missing"
    roles = [message["role"] for message in body["messages"]]
    if roles != ["user", "assistant"] * (len(roles) // 2) + ["user"]:
        return "the roles must alternate, and the last message must be the user's"
    blocks = [block for message in body["messages"] for block in message["content"]]
    if not all(message["content"] for message in body["messages"]):
        return "a message is empty"
    if any(block["type"] == "text" and not block["text"].strip() for block in blocks):
        return "a text block is blank"
    return _tool_objection(body, blocks)


def _tool_objection(body: dict[str, Any], blocks: list[dict[str, Any]]) -> str | None:
    called = [block["id"] for block in blocks if block["type"] == "tool_use"]
    answered = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
    if called != answered:
        return "a tool call has no result"
    if called and not body.get("tools"):
        return "a tool call needs tools to be defined"
    if any(not isinstance(block["input"], dict) for block in blocks if block["type"] == "tool_use"):
        return "the input of a tool call is not an object"
    return None
