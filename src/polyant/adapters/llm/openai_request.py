"""Encodes a model request for OpenAI's Chat Completions API, adapted to the server and the model."""

import re
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec

from polyant.adapters.llm import openai_wire as wire
from polyant.adapters.llm.history import arguments_object, with_user_message, without_empty_messages
from polyant.adapters.llm.response_reader import ProviderModel
from polyant.domain.chat import (
    AssistantMessage,
    ModelMessage,
    ModelRequest,
    ProviderFields,
    Sampling,
    ToolCall,
    ToolResult,
    UserMessage,
)
from polyant.domain.instances import JsonObject

_PROVIDER = "openai"
_ENCODE = msgspec.json.Encoder().encode
_OPENAI_OWN_HOST = ".api.openai.com"
_OPENAI_HOSTS = (_OPENAI_OWN_HOST, ".openai.azure.com", ".services.ai.azure.com")
_O_SERIES = re.compile(r"\A(?:.*/)?o[1-9](?:-|\Z)")
_GPT = re.compile(r"\A(?:.*/)?gpt-(\d+)(?:\.(\d+))?(?!\d)(?!.*-chat)")
_FIRST_REASONING_GPT = (5, 0)
_FIRST_GPT_WITHOUT_TOOL_REASONING = (5, 1)
_NO_FIELDS = ProviderFields()


class Dialect(NamedTuple):
    """How a server and a model deviate from the API reference."""

    is_openai: bool
    """OpenAI's and Azure's servers deprecate `max_tokens`; others may not know `max_completion_tokens`."""
    is_openai_own: bool
    """OpenAI's own servers; others, Azure's included, may reject fields that are new or are about the caller."""
    is_reasoning_model: bool
    """Reasoning models reject sampling parameters and stop sequences with status 400, so they are omitted."""
    tools_exclude_reasoning: bool
    """The model rejects tools on this API unless `reasoning_effort` is none; from GPT-5.6 on, even if it is omitted."""


@lru_cache(maxsize=1024)
def dialect_of(base_url: str, model: str) -> Dialect:
    """Returns the known deviations of the server and the model."""
    host = f".{urlsplit(base_url).hostname or ''}"
    is_openai = host.endswith(_OPENAI_HOSTS)
    gpt = _GPT.match(model)
    version = (int(gpt[1]), int(gpt[2] or 0)) if gpt else (0, 0)
    return Dialect(
        is_openai=is_openai,
        is_openai_own=host.endswith(_OPENAI_OWN_HOST),
        is_reasoning_model=version >= _FIRST_REASONING_GPT or bool(_O_SERIES.match(model)),
        tools_exclude_reasoning=is_openai and version >= _FIRST_GPT_WITHOUT_TOOL_REASONING,
    )


def encode_request(request: ModelRequest, *, include_usage: bool) -> bytes:
    """Returns the body of the request; with `include_usage`, a stream ends with the token usage."""
    dialect = dialect_of(request.base_url, request.model)
    requested = request.sampling
    sampling = Sampling(seed=requested.seed) if dialect.is_reasoning_model else requested
    fields = _accepted_fields(request.provider_fields, dialect)
    use_new_name = dialect.is_openai or dialect.is_reasoning_model
    return _ENCODE(
        wire.RequestBody(
            model=request.model,
            messages=_messages(request),
            stream=request.stream,
            stream_options=wire.StreamOptions(include_usage=True) if include_usage else None,
            tools=_tools(request),
            reasoning_effort="none" if request.tools and dialect.tools_exclude_reasoning else fields.reasoning_effort,
            max_tokens=None if use_new_name else requested.max_tokens,
            max_completion_tokens=requested.max_tokens if use_new_name else None,
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            stop=sampling.stop,
            seed=sampling.seed,
            presence_penalty=sampling.presence_penalty,
            frequency_penalty=sampling.frequency_penalty,
            logit_bias=fields.logit_bias,
            response_format=fields.response_format,
            verbosity=fields.verbosity,
            prompt_cache_key=fields.prompt_cache_key,
            safety_identifier=fields.safety_identifier,
            user=fields.user,
        )
    )


def _accepted_fields(fields: ProviderFields, dialect: Dialect) -> ProviderFields:
    """Returns the fields that the server and the model accept; a rejected field would fail the turn."""
    if fields == _NO_FIELDS:
        return fields
    own, reasons = dialect.is_openai_own, dialect.is_reasoning_model
    return ProviderFields(
        response_format=fields.response_format,
        reasoning_effort=fields.reasoning_effort if reasons or not dialect.is_openai else None,
        logit_bias=None if reasons else fields.logit_bias,
        verbosity=fields.verbosity if own and reasons else None,
        prompt_cache_key=fields.prompt_cache_key if own else None,
        safety_identifier=fields.safety_identifier if own else None,
        user=fields.user if own else None,
    )


def _tools(request: ModelRequest) -> tuple[wire.Tool, ...]:
    return tuple(wire.Tool(wire.FunctionSpec(tool.name, tool.description, tool.parameters)) for tool in request.tools)


def _messages(request: ModelRequest) -> list[wire.Message | JsonObject]:
    owner = ProviderModel(_PROVIDER, request.model)
    system: list[wire.Message | JsonObject] = [wire.SystemMessage(request.system)] if request.system else []
    messages = with_user_message(without_empty_messages(request.messages))
    return system + [_message(message, owner) for message in messages]


def _message(message: ModelMessage, owner: ProviderModel) -> wire.Message | JsonObject:
    match message:
        case UserMessage():
            return wire.UserMessage(message.text)
        case AssistantMessage(tool_calls=()):
            return wire.AssistantMessage(message.content)
        case AssistantMessage():
            calls = tuple(map(_tool_call, message.tool_calls))
            return _with_state(wire.AssistantMessage(message.content or None, calls), message, owner)
        case ToolResult():
            return wire.ToolMessage(message.call_id, message.content)


def _with_state(
    sent: wire.AssistantMessage, message: AssistantMessage, owner: ProviderModel
) -> wire.AssistantMessage | JsonObject:
    """Returns the message with the opaque state that the same provider and model gave with it and with its calls."""
    state = owner.state_in(message.provider_data)
    call_states = [owner.state_in(call.provider_data) for call in message.tool_calls]
    if not state and not any(call_states):
        return sent
    fields = msgspec.to_builtins(sent)
    calls = [{**(kept or {}), **call} for kept, call in zip(call_states, fields["tool_calls"], strict=True)]
    return {**(state or {}), **fields, "tool_calls": calls}


def _tool_call(call: ToolCall) -> wire.ToolCall:
    return wire.ToolCall(call.id, wire.Function(call.name, arguments_object(call.arguments)))
