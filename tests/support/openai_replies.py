"""Replies in OpenAI's protocol, from a server that rejects what OpenAI or a strict compatible server rejects."""

from collections.abc import Iterator
from typing import Any

from polyant.domain.chat import ToolCall
from polyant.domain.errors import ProviderFailure
from polyant.testing.event_stream import Split, event, stream, whole
from polyant.testing.provider_scripts import HELLO, PROVIDER_TEXT, ScriptedAnswer
from support.upstream import DROP, Received, Reply, Responder, Then, json_reply

_STATUSES = {
    ProviderFailure.AUTH: 401,
    ProviderFailure.RATE_LIMIT: 429,
    ProviderFailure.BAD_REQUEST: 400,
    ProviderFailure.OVERLOADED: 503,
    ProviderFailure.TIMEOUT: 504,
}
_DONE = b"data: [DONE]\n\n"


def openai_responder(answer: ScriptedAnswer | str = HELLO, split: Split = whole) -> Responder:
    """Returns a responder that sends the answer, streamed if the request asks for a stream."""
    scripted = ScriptedAnswer(text=(answer,)) if isinstance(answer, str) else answer

    def respond(request: Received) -> Reply:
        body = request.json()
        if reason := _objection(body):
            return json_reply({"error": {"message": reason, "type": "invalid_request_error"}}, status=400)
        if not body.get("stream"):
            return json_reply(_completion(scripted))
        return stream([*openai_events(scripted), _usage_event(scripted), _DONE], split=split)

    return respond


def openai_failure(kind: ProviderFailure) -> Responder:
    """Returns a responder that fails in the given way, with an error text that must not reach users."""

    def respond(request: Received) -> Reply:
        if kind is ProviderFailure.UNREACHABLE:
            return DROP
        key = request.headers.get("authorization", "").removeprefix("Bearer ")
        text = f"{PROVIDER_TEXT} {key}"
        if kind is ProviderFailure.BAD_RESPONSE:
            return json_reply({"unexpected": text})
        error = {"error": {"message": text, "type": text, "code": text}}
        return json_reply(error, status=_STATUSES[kind], headers={"x-request-id": key})

    return respond


def openai_partial_stream(*text: str, then: Then) -> Reply:
    """Returns a stream that sends the text and then misbehaves as `then` specifies."""
    return stream(openai_events(ScriptedAnswer(text=text), ended=False), then)


def openai_events(answer: ScriptedAnswer, *, ended: bool = True) -> Iterator[bytes]:
    """Yields the events of a stream, including the finish reason if it has `ended`."""
    yield _chunk({"role": "assistant", "content": ""})
    for text in answer.text:
        yield _chunk({"content": text})
    for index, call in enumerate(answer.tool_calls):
        yield _call_piece(index, {"id": call.id, "type": "function"}, name=call.name, arguments="")
        for start in range(0, len(call.arguments), 7):
            yield _call_piece(index, {}, arguments=call.arguments[start : start + 7])
    if ended:
        yield _chunk({}, answer.finish_reason)


def _chunk(delta: dict[str, Any], finish_reason: str | None = None) -> bytes:
    choices = [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}]
    return event({"id": "chatcmpl-1", "object": "chat.completion.chunk", "choices": choices, "usage": None})


def _call_piece(index: int, fields: dict[str, Any], **function: str) -> bytes:
    return _chunk({"tool_calls": [{"index": index, **fields, "function": function}]})


def _usage_event(answer: ScriptedAnswer) -> bytes:
    return event({"id": "chatcmpl-1", "object": "chat.completion.chunk", "choices": [], "usage": _usage(answer)})


def _usage(answer: ScriptedAnswer) -> dict[str, Any]:
    usage = answer.usage
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
    }


def _completion(answer: ScriptedAnswer) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": "".join(answer.text) or None, "refusal": None}
    if answer.tool_calls:
        message["tool_calls"] = [_call(call) for call in answer.tool_calls]
    choice = {"index": 0, "message": message, "finish_reason": answer.finish_reason}
    return {"id": "chatcmpl-1", "object": "chat.completion", "choices": [choice], "usage": _usage(answer)}


def _call(call: ToolCall) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def _objection(body: dict[str, Any]) -> str | None:
    messages = body["messages"]
    if not any(message["role"] == "user" for message in messages):
        return "there is no user message"
    if any(message["role"] == "system" for message in messages[1:]):
        return "the system message is not the first"
    if body.get("tools") == []:
        return "tools is empty"
    called: list[str] = []
    for message in messages:
        if message["role"] == "tool" and message["tool_call_id"] not in called:
            return "a tool result has no call"
        called += [call["id"] for call in message.get("tool_calls", ())]
    return None
