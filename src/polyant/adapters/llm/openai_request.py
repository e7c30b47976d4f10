"""A model request in OpenAI's form, as the server and the model it goes to take it."""

import re
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec

from polyant.adapters.llm import openai_wire as wire
from polyant.adapters.llm.history import arguments_object, with_user_message
from polyant.domain.chat import (
    AssistantMessage,
    ModelMessage,
    ModelRequest,
    Sampling,
    ToolCall,
    ToolResult,
    UserMessage,
)

_ENCODE = msgspec.json.Encoder().encode
_OPENAI_HOSTS = (".api.openai.com", ".openai.azure.com", ".services.ai.azure.com")
_O_SERIES = re.compile(r"\A(?:.*/)?o[1-9](?:-|\Z)")
_GPT = re.compile(r"\A(?:.*/)?gpt-(\d+)(?:\.(\d+))?(?!\d)(?!.*-chat)")
_FIRST_REASONING_GPT = (5, 0)
_FIRST_GPT_THAT_CAN_REST = (5, 1)


class Dialect(NamedTuple):
    """What a server and a model don't take as the API reference has it."""

    is_openai: bool
    """OpenAI's own servers and Azure's: `max_tokens` is deprecated there, elsewhere the newer name may be unknown."""
    reasons: bool
    """The model answers 400 to sampling parameters and stop sequences, so they are left out."""
    rests_for_tools: bool
    """The model takes tools on this API with `reasoning_effort` none alone; from GPT-5.6 on even unasked."""


@lru_cache(maxsize=1024)
def dialect_of(base_url: str, model: str) -> Dialect:
    """Returns what is known of the server and the model."""
    host = urlsplit(base_url).hostname or ""
    is_openai = f".{host}".endswith(_OPENAI_HOSTS)
    gpt = _GPT.match(model)
    version = (int(gpt[1]), int(gpt[2] or 0)) if gpt else (0, 0)
    return Dialect(
        is_openai=is_openai,
        reasons=version >= _FIRST_REASONING_GPT or bool(_O_SERIES.match(model)),
        rests_for_tools=is_openai and version >= _FIRST_GPT_THAT_CAN_REST,
    )


def encode_request(request: ModelRequest, *, include_usage: bool) -> bytes:
    """Returns the body of the request; `include_usage` asks a stream for the usage at its end."""
    dialect = dialect_of(request.base_url, request.model)
    given = request.sampling
    sampling = Sampling(seed=given.seed) if dialect.reasons else given
    newer_name = dialect.is_openai or dialect.reasons
    return _ENCODE(
        wire.RequestBody(
            model=request.model,
            messages=_messages(request),
            stream=request.stream,
            stream_options=wire.StreamOptions(include_usage=True) if include_usage else None,
            tools=_tools(request),
            reasoning_effort="none" if request.tools and dialect.rests_for_tools else None,
            max_tokens=None if newer_name else given.max_tokens,
            max_completion_tokens=given.max_tokens if newer_name else None,
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            stop=sampling.stop,
            seed=sampling.seed,
            presence_penalty=sampling.presence_penalty,
            frequency_penalty=sampling.frequency_penalty,
        )
    )


def _tools(request: ModelRequest) -> tuple[wire.Tool, ...]:
    return tuple(wire.Tool(wire.FunctionSpec(tool.name, tool.description, tool.parameters)) for tool in request.tools)


def _messages(request: ModelRequest) -> list[wire.Message]:
    system: list[wire.Message] = [wire.SystemMessage(request.system)] if request.system else []
    return system + [_message(message) for message in with_user_message(request.messages)]


def _message(message: ModelMessage) -> wire.Message:
    match message:
        case UserMessage():
            return wire.UserMessage(message.text)
        case AssistantMessage(tool_calls=()):
            return wire.AssistantMessage(message.content)
        case AssistantMessage():
            return wire.AssistantMessage(message.content or None, tuple(map(_tool_call, message.tool_calls)))
        case ToolResult():
            return wire.ToolMessage(message.call_id, message.content)


def _tool_call(call: ToolCall) -> wire.ToolCall:
    return wire.ToolCall(call.id, wire.Function(call.name, arguments_object(call.arguments)))
