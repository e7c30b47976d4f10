"""Encodes a model request for OpenAI's Chat Completions API, adapted to the server and the model."""

from collections.abc import Mapping
from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta

from polyant.adapters.llm import openai_wire as wire
from polyant.adapters.llm.history import arguments_object, with_user_message, without_empty_messages
from polyant.adapters.llm.openai_content import call_with_state, content_with_parts
from polyant.adapters.llm.openai_dialect import Dialect, dialect_of
from polyant.adapters.llm.openai_media import content_parts
from polyant.adapters.llm.provider_options import ProviderOptions
from polyant.adapters.llm.response_reader import ProviderModel
from polyant.domain.adapter_options import decode_options
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
_NO_FIELDS = ProviderFields()


class OpenAIOptions(ProviderOptions, frozen=True, kw_only=True):
    """An instance's options for a server that is compatible with OpenAI's."""

    owned: ClassVar[frozenset[str]] = frozenset(
        {
            *("model", "messages", "stream", "stream_options", "n"),
            *("tools", "tool_choice", "functions", "function_call"),
        }
    )
    replaced: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "max_tokens": ("max_completion_tokens",),
        "max_completion_tokens": ("max_tokens",),
        "reasoning": ("reasoning_effort",),
        "thinking": ("reasoning_effort",),
    }

    base_model: Annotated[
        str, Meta(description="The model behind a deployment whose name doesn't tell, such as gpt-5.4.")
    ] = ""


_NO_OPTIONS = OpenAIOptions()


def encode_request(request: ModelRequest, *, include_usage: bool) -> bytes:
    """Returns the body of the request; with `include_usage`, a stream ends with the token usage."""
    options = options_of(request)
    dialect = dialect_of(request.base_url, options.base_model or request.model)
    requested = request.sampling
    sampling = Sampling(seed=requested.seed) if dialect.is_reasoning_model else requested
    fields = _accepted_fields(request.provider_fields, dialect)
    use_new_name = dialect.is_openai or dialect.is_reasoning_model
    encoded = _ENCODE(
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
    return options.merged_into(encoded)


def options_of(request: ModelRequest) -> OpenAIOptions:
    """Returns the instance's options for its provider.

    Raises:
        UnavailableError: The stored options are invalid.
    """
    return decode_options(request.options, _PROVIDER, OpenAIOptions) if request.options else _NO_OPTIONS


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
            return wire.UserMessage(content_parts(message.parts) if message.has_media else message.text)
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
    calls = list(map(call_with_state, fields["tool_calls"], call_states))
    content = content_with_parts(state or {}, fields["content"])
    return {**(state or {}), **fields, "content": content, "tool_calls": calls}


def _tool_call(call: ToolCall) -> wire.ToolCall:
    return wire.ToolCall(call.id, wire.Function(call.name, arguments_object(call.arguments)))
