"""ChatModel that calls Gemini: https://ai.google.dev/api/generate-content and .../docs/thought-signatures."""

import json
from collections.abc import AsyncGenerator, Iterator
from itertools import groupby
from typing import Any
from urllib.parse import quote

import msgspec
from aiohttp import ClientSession

from polyant import llm
from polyant.domain.chat import AssistantMessage, ModelEvent, ModelMessage, ModelRequest, ToolCall, Usage, UserMessage
from polyant.domain.errors import ProviderFailure
from polyant.domain.limits import ProviderTimeouts
from polyant.domain.media.parts import AudioPart, DocumentPart, ImagePart, MediaKind
from polyant.domain.ports.chat_model import ChatModel, ProviderInfo
from polyant.domain.ports.clock import Clock
from polyant.domain.proxies import ProxyRules
from polyant.domain.secrets import SecretName

Part = dict[str, Any]

_MEDIA_TYPES = {"image/png", "image/jpeg", "image/webp", "application/pdf"}
_MEDIA_TYPES |= {"audio/ogg", "audio/flac", "audio/mpeg", "audio/wav", "audio/mp4"}
_BLOCKED = {"SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII"}
_INVALID = {"MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "MALFORMED_RESPONSE", "MISSING_THOUGHT_SIGNATURE"}
_COUNTS = ("prompt", "toolUsePrompt", "candidates", "thoughts", "cachedContent")
_NOTHING_SAID = {"role": "user", "parts": [{"text": "(The user has said nothing.)"}]}
_UNSIGNED = {"thoughtSignature": "skip_thought_signature_validator"}  # for calls of other models, by Google's docs


class GeminiChatModel(ChatModel):
    """Calls the Gemini API, with or without streaming, over a shared HTTP session."""

    info = ProviderInfo(
        name="gemini",
        default_model="gemini-flash-latest",
        base_url="https://generativelanguage.googleapis.com/v1beta",
        secret=SecretName("gemini_api_key"),
        response_format=True,
        media=frozenset(MediaKind),
        compatible_media=frozenset(MediaKind),
        environment_variable="GEMINI_API_KEY",
    )

    def __init__(
        self,
        *,
        http: ClientSession,
        public_http: llm.PublicHttp,
        clock: Clock,
        timeouts: ProviderTimeouts,
        proxies: ProxyRules,
    ) -> None:
        self._clock = clock
        self._refused_media = llm.RefusedMedia(clock=clock)
        self._client = llm.ProviderClient(
            http=http, public_http=public_http, clock=clock, timeouts=timeouts, proxies=proxies
        )

    def generate(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        owner = llm.ProviderModel(self.info.name, request.model)
        sent = llm.MediaRequest(
            request, self._refused_media, is_refused=lambda part, _: getattr(part, "media_type", "") not in _MEDIA_TYPES
        )
        return llm.with_retries(
            lambda: self._client.attempt(_call(sent, owner), GeminiResponseReader(owner)),
            provider=self.info.name,
            clock=self._clock,
            deadline=request.deadline,
        )

    async def check(self, base_url: str, *, public_only: bool = False) -> None:
        await self._client.reach(self.info.name, f"{base_url}/models", public_only=public_only)


def _call(sent: llm.MediaRequest, owner: llm.ProviderModel) -> llm.ProviderCall:
    request = sent.current()
    method = "streamGenerateContent?alt=sse" if request.stream else "generateContent"
    key = {} if request.api_key is None else {"x-goog-api-key": llm.header_value(request.api_key)}
    return llm.ProviderCall(
        url=f"{request.base_url}/models/{quote(request.model.removeprefix('models/'), safe='')}:{method}",
        headers={**llm.trace_headers(request.trace), **key},
        body=_encoded(request, owner),
        stream=request.stream,
        deadline=request.deadline,
        public_only=request.public_only,
        tools=tuple(tool.name for tool in request.tools),
        amend=lambda error_body: _amends(sent, error_body),
        has_media=sent.has_media,
    )


def _amends(sent: llm.MediaRequest, error_body: bytes) -> bool:
    if b"API_KEY_INVALID" in error_body:  # the API reports a wrong key with status 400
        raise llm.CallFailedError(ProviderFailure.AUTH, status=400)
    return sent.drop_refused(error_body)


def _encoded(request: ModelRequest, owner: llm.ProviderModel) -> bytes:
    sampling = request.sampling
    config = {
        "temperature": sampling.temperature,
        "topP": sampling.top_p,
        "maxOutputTokens": sampling.max_tokens,
        "stopSequences": sampling.stop or None,
        "seed": None if sampling.seed is None else sampling.seed % 2**31,
        "presencePenalty": sampling.presence_penalty,
        "frequencyPenalty": sampling.frequency_penalty,
        **_response_format(request.provider_fields.response_format),
    }
    tools = [
        {"name": tool.name, "description": tool.description, "parametersJsonSchema": tool.parameters}
        for tool in request.tools
    ]
    body = {
        "contents": _contents(request, owner),
        "systemInstruction": {"parts": [{"text": request.system}]} if request.system.strip() else None,
        "tools": [{"functionDeclarations": tools}] if tools else None,
        "generationConfig": {name: value for name, value in config.items() if value is not None},
    }
    return msgspec.json.encode({name: value for name, value in body.items() if value})


def _response_format(requested: msgspec.Raw | None) -> Part:
    match msgspec.json.decode(requested or b"{}"):
        case {"type": "json_schema", "json_schema": {"schema": dict(schema)}}:
            return {"responseMimeType": "application/json", "responseJsonSchema": schema}
        case {"type": "json_object"}:
            return {"responseMimeType": "application/json"}
    return {}


def _contents(request: ModelRequest, owner: llm.ProviderModel) -> list[Part]:
    """Returns contents that start and end with the user's; the results of one step share a content."""
    called: dict[str, Part] = {}
    encoded = [(type(each), parts) for each in request.messages if (parts := list(_parts(each, owner, called)))]
    contents: list[Part] = [
        {"role": "model" if kind is AssistantMessage else "user", "parts": [part for _, own in group for part in own]}
        for kind, group in groupby(encoded, key=lambda pair: pair[0])
    ]
    first = [_NOTHING_SAID] if not contents or contents[0]["role"] == "model" else []
    last = [_NOTHING_SAID] if contents and contents[-1]["role"] == "model" else []
    return first + contents + last


def _parts(message: ModelMessage, owner: llm.ProviderModel, called: dict[str, Part]) -> Iterator[Part]:
    """Yields a message's parts; `called` receives Gemini's name and id of each call, for the call's result."""
    if isinstance(message, UserMessage):
        for part in message.parts:
            yield from _text_parts(getattr(part, "text", "") or getattr(part, "name", ""))
            if isinstance(part, ImagePart | AudioPart | DocumentPart):
                yield {"inlineData": {"mimeType": part.media_type, "data": part.data}}
    elif isinstance(message, AssistantMessage):
        state = owner.state_in(message.provider_data) or _text_parts(message.content)
        yield from _model_parts(state, iter(message.tool_calls), called)
    else:
        response = {"error" if message.is_error else "output": message.content}
        yield {"functionResponse": {**called.get(message.call_id, {"name": "unknown"}), "response": response}}


def _model_parts(state: list[Part], calls: Iterator[ToolCall], called: dict[str, Part]) -> Iterator[Part]:
    """Yields the parts as Gemini sent them, followed by the calls that aren't Gemini's."""
    for part in state:
        if own := part.get("functionCall"):
            if (call := next(calls, None)) is None:
                continue
            called[call.id] = {name: own[name] for name in ("id", "name") if name in own}
        yield part
    for number, foreign in enumerate(calls):
        called[foreign.id] = {"id": foreign.id, "name": foreign.name}
        arguments = msgspec.Raw(llm.arguments_object(foreign.arguments).encode())
        yield {"functionCall": {**called[foreign.id], "args": arguments}, **({} if number else _UNSIGNED)}


def _text_parts(text: str) -> list[Part]:
    return [{"text": text}] if text.strip() else []  # the API rejects empty text


class _Content(msgspec.Struct, frozen=True):
    parts: list[Part] = []


class _Candidate(msgspec.Struct, frozen=True, rename="camel"):
    content: _Content = _Content()
    finish_reason: str | None = None


class _Response(msgspec.Struct, frozen=True, rename="camel"):
    candidates: list[_Candidate] = []
    prompt_feedback: Part = {}
    usage_metadata: Part = {}
    error: Part | None = None


class GeminiResponseReader(llm.ResponseReader):
    """Keeps the parts of a response, which Gemini wants back unchanged."""

    _decoder = msgspec.json.Decoder(_Response)

    def __init__(self, owner: llm.ProviderModel) -> None:
        super().__init__(owner)
        self._parts: list[Part] = []

    def read_event(self, data: bytes) -> str:
        return self.read_body(data) if data.strip() else ""

    def read_body(self, body: bytes) -> str:
        response = self.mended(self._decoder, body)
        if response.error is not None:
            raise llm.failure_of_error(response.error.get("code"), response.error.get("status"))
        if report := response.usage_metadata:
            counts = [report.get(f"{name}TokenCount", 0) for name in _COUNTS]
            prompt, tools, answer, thoughts, cached = (count if isinstance(count, int) else 0 for count in counts)
            self.usage = Usage(prompt + tools, answer + thoughts, cached).clamped
        if response.prompt_feedback.get("blockReason"):
            self.complete, self.finish_reason = True, "content_filter"
        return "".join(map(self._read_candidate, response.candidates[:1]))

    def calls(self) -> list[llm.PartialToolCall]:
        called = [part["functionCall"] for part in self._parts if "functionCall" in part]
        return [
            llm.PartialToolCall(str(call.get("id", "")), str(call.get("name", "")), json.dumps(call.get("args", {})))
            for call in called
        ]

    def state(self) -> list[Part]:
        """Returns the parts, if there are calls or signatures among them."""
        is_wanted = any(part.keys() & {"functionCall", "thoughtSignature"} for part in self._parts)
        return [part for part in self._parts if is_wanted and part != {"text": ""}]

    def _read_candidate(self, candidate: _Candidate) -> str:
        reason = candidate.finish_reason
        if reason in _INVALID:
            raise llm.CallFailedError(ProviderFailure.BAD_RESPONSE, retry=True)
        if reason:
            self.complete = True
            self.finish_reason = (
                "content_filter" if reason in _BLOCKED else "length" if reason == "MAX_TOKENS" else "stop"
            )
        return "".join(map(self._read_part, candidate.content.parts))

    def _read_part(self, part: Part) -> str:
        text = part.get("text", "")
        if not isinstance(text, str) or not isinstance(part.get("functionCall", {}), dict):
            llm.raise_bad_response()
        self._parts.append(part)
        self.began = True
        return "" if part.get("thought") else self.received(text)
