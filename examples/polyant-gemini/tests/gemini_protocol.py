"""Gemini's protocol, as its server speaks it: it refuses the requests that the real one refuses."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import msgspec

from polyant.domain.chat import AssistantMessage, ModelMessage, Sampling, ToolCall, ToolResult, ToolSpec, UserMessage
from polyant.domain.errors import ProviderFailure
from polyant.testing.event_stream import Split, event, stream, whole
from polyant.testing.http_provider import ProviderProtocol
from polyant.testing.provider_scripts import PROVIDER_TEXT, ScriptedAnswer
from polyant.testing.received_calls import ReceivedCall
from polyant.testing.upstream import DROP, Received, Reply, Responder, Then, json_reply

KEY_HEADER = "x-goog-api-key"
SIGNATURE = "c2lnbmF0dXJlIG9mIGEgdGhvdWdodA=="
_FAILURES = {
    ProviderFailure.AUTH: (400, "INVALID_ARGUMENT"),
    ProviderFailure.RATE_LIMIT: (429, "RESOURCE_EXHAUSTED"),
    ProviderFailure.BAD_REQUEST: (400, "FAILED_PRECONDITION"),
    ProviderFailure.OVERLOADED: (503, "UNAVAILABLE"),
    ProviderFailure.TIMEOUT: (504, "DEADLINE_EXCEEDED"),
}
_INVALID_KEY = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}]
_REASONS = {"stop": "STOP", "tool_calls": "STOP", "length": "MAX_TOKENS", "content_filter": "SAFETY"}
_FIELDS = {"contents", "systemInstruction", "tools", "generationConfig"}
_SAMPLING = {
    "temperature": "temperature",
    "topP": "top_p",
    "maxOutputTokens": "max_tokens",
    "seed": "seed",
    "presencePenalty": "presence_penalty",
    "frequencyPenalty": "frequency_penalty",
}
_CONFIG = {*_SAMPLING, "stopSequences", "responseMimeType", "responseJsonSchema"}
_PART_KINDS = {"text", "inlineData", "functionCall", "functionResponse"}


class GeminiProtocol(ProviderProtocol):
    """The Gemini API.

    Args:
        split: Splits the streams.
        ids: Whether calls have ids, as those of Gemini 3 do; without them, signatures aren't required, either.
    """

    def __init__(self, split: Split = whole, *, ids: bool = True) -> None:
        self._split = split
        self._ids = ids

    def answer(self, answer: ScriptedAnswer) -> Responder:
        return self.responder([*({"text": text} for text in answer.text), *self._calls(answer)], answer)

    def responder(self, parts: list[dict[str, Any]], answer: ScriptedAnswer) -> Responder:
        """Returns a responder that sends these parts, with the usage and the finish reason of the answer."""

        def respond(request: Received) -> Reply:
            if reason := "; ".join(objections(request, signed=self._ids)):
                return error(400, "INVALID_ARGUMENT", reason)
            end = {"finishReason": _REASONS[answer.finish_reason], "index": 0}
            if not is_stream(request):
                return json_reply(body_of(parts, end, answer))
            chunks = [body_of([part], {"index": 0}) for part in parts]
            return stream(map(event, [*chunks, body_of([{"text": ""}], end, answer)]), split=self._split)

        return respond

    def failure(self, kind: ProviderFailure) -> Responder:
        def respond(request: Received) -> Reply:
            text = f"{PROVIDER_TEXT} {request.headers.get(KEY_HEADER, '')}"
            if kind is ProviderFailure.UNREACHABLE:
                return DROP
            if kind is ProviderFailure.BAD_RESPONSE:
                return json_reply({"unexpected": text})
            return error(*_FAILURES[kind], text, _INVALID_KEY if kind is ProviderFailure.AUTH else [])

        return respond

    def partial_stream(self, *text: str, then: Then) -> Reply:
        return stream((event(body_of([{"text": each}], {"index": 0})) for each in text), then)

    def received(self, request: Received) -> ReceivedCall:
        body = request.json()
        config = body.get("generationConfig", {})
        declared = [each for tool in body.get("tools", ()) for each in tool["functionDeclarations"]]
        model = request.path.partition("/models/")[2].partition(":")[0]
        return ReceivedCall(
            api_key=request.headers.get(KEY_HEADER),
            model=unquote(model),
            system="".join(part["text"] for part in body.get("systemInstruction", {}).get("parts", ())),
            messages=tuple(each for content in body["contents"] for each in _messages(content)),
            tools=tuple(_tool(each) for each in declared),
            sampling=Sampling(
                stop=tuple(config.get("stopSequences", ())),
                **{field: config[name] for name, field in _SAMPLING.items() if name in config},
            ),
            stream=is_stream(request),
        )

    def _calls(self, answer: ScriptedAnswer) -> Iterator[dict[str, Any]]:
        """Yields the parts of parallel calls: only the first has a signature."""
        for number, call in enumerate(answer.tool_calls):
            made = {"name": call.name, "args": msgspec.json.decode(call.arguments)}
            signature = {} if number else {"thoughtSignature": SIGNATURE}
            yield {"functionCall": {"id": call.id, **made} if self._ids else made, **signature}


def is_stream(request: Received) -> bool:
    return request.path.endswith(":streamGenerateContent?alt=sse")


def error(status: int, name: str, message: str, details: object = ()) -> Reply:
    return json_reply(
        {"error": {"code": status, "message": message, "status": name, "details": details}}, status=status
    )


def body_of(parts: list[dict[str, Any]], end: dict[str, Any], answer: ScriptedAnswer | None = None) -> dict[str, Any]:
    body: dict[str, Any] = {"candidates": [{"content": {"parts": parts, "role": "model"}, **end}]}
    if answer is None:
        return body | {"usageMetadata": {"promptTokenCount": 1, "totalTokenCount": 1}}
    thoughts = answer.usage.completion_tokens // 2
    usage = {
        "promptTokenCount": answer.usage.prompt_tokens,
        "cachedContentTokenCount": answer.usage.cached_tokens,
        "candidatesTokenCount": answer.usage.completion_tokens - thoughts,
        "thoughtsTokenCount": thoughts,
        "totalTokenCount": answer.usage.total_tokens,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": answer.usage.prompt_tokens}],
    }
    return body | {"usageMetadata": {name: count for name, count in usage.items() if count}}


def objections(request: Received, *, signed: bool) -> Iterator[str]:
    """Yields the reasons for which the real server would refuse the request."""
    body = request.json()
    config = body.get("generationConfig", {})
    contents = body.get("contents", [])
    yield from (f"Unknown name {name}" for name in [*(body.keys() - _FIELDS), *(config.keys() - _CONFIG)])
    if not (is_stream(request) or request.path.endswith(":generateContent")):
        yield "Unknown method"
    if not -(2**31) <= config.get("seed", 0) < 2**31:
        yield "Invalid value at generation_config.seed"
    if not contents or contents[-1]["role"] != "user":
        yield "the last content must be the user's"
    for content in contents:
        if not content.get("parts") or content["role"] not in {"user", "model"}:
            yield "empty content, or an unknown role"
        yield from _objections_to_parts(content.get("parts", []))
    for before, after in zip([{"role": "", "parts": []}, *contents], contents, strict=False):
        yield from _objections_to_order(before, after, signed=signed)


def _objections_to_parts(parts: list[dict[str, Any]]) -> Iterator[str]:
    for part in parts:
        if len(part.keys() & _PART_KINDS) != 1:
            yield "oneof field data must have one value"
        if not part.get("text", "x").strip() and "thoughtSignature" not in part:
            yield "text must not be empty"
        if part.get("inlineData", {}).get("mimeType") == "image/gif":
            yield "Unsupported MIME type: image/gif"
        if not isinstance(part.get("functionCall", {}).get("args", {}), dict):
            yield "args must be an object"


def _objections_to_order(before: dict[str, Any], after: dict[str, Any], *, signed: bool) -> Iterator[str]:
    calls, results = _of("functionCall", before), _of("functionResponse", after)
    if [(call.get("id"), call["name"]) for call in calls] != [(each.get("id"), each["name"]) for each in results]:
        yield "function responses must match the function calls of the previous content"
    if _of("functionCall", after) and before["role"] != "user":
        yield "a function call must come after a user's content"
    if after["role"] == before["role"] == "model":
        yield "the model's contents must not follow each other"
    first = next((part for part in after["parts"] if "functionCall" in part), None)
    if signed and first is not None and "thoughtSignature" not in first:
        yield "Function call is missing a thought_signature"


def _of(name: str, content: dict[str, Any]) -> list[dict[str, Any]]:
    return [part[name] for part in content["parts"] if name in part]


def _messages(content: dict[str, Any]) -> Iterator[ModelMessage]:
    text = "".join(part["text"] for part in content["parts"] if "text" in part and not part.get("thought"))
    if content["role"] == "model":
        calls = (
            ToolCall(id=call["id"], name=call["name"], arguments=msgspec.json.encode(call["args"]).decode())
            for call in _of("functionCall", content)
        )
        yield AssistantMessage(text, tuple(calls))
        return
    for result in _of("functionResponse", content):
        ((outcome, shown),) = result["response"].items()
        yield ToolResult(call_id=result["id"], content=shown, is_error=outcome == "error")
    if text:
        yield UserMessage.of(text)


def _tool(declared: dict[str, Any]) -> ToolSpec:
    schema = msgspec.Raw(msgspec.json.encode(declared["parametersJsonSchema"]))
    return ToolSpec(name=declared["name"], description=declared["description"], parameters=schema)
