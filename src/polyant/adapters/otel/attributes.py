"""Attributes of the spans, by the semantic conventions for generative AI; text only if it is recorded.

Source: https://opentelemetry.io/docs/specs/semconv/gen-ai/
"""

from functools import lru_cache

from opentelemetry.semconv.schemas import Schemas

from polyant.adapters.otel.wire import count_encoder, encode_constant, text_encoder
from polyant.domain.chat import Usage
from polyant.domain.recorded_content import StepContent, ToolContent
from polyant.domain.turn_records import ObservedTurn

SCHEMA_URL = Schemas.V1_44_0.value
"""The version of the conventions that the names in this module come from."""

OPERATION = "gen_ai.operation.name"
PROVIDER = "gen_ai.provider.name"
MODEL = "gen_ai.request.model"
AGENT_ID = "gen_ai.agent.id"
AGENT_NAME = "gen_ai.agent.name"
CONVERSATION = "gen_ai.conversation.id"
INPUT_TOKENS = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
CACHED_TOKENS = "gen_ai.usage.cache_read.input_tokens"
TOOL_NAME = "gen_ai.tool.name"
TOOL_CALL = "gen_ai.tool.call.id"
TOOL_TYPE = "gen_ai.tool.type"
SYSTEM_INSTRUCTIONS = "gen_ai.system_instructions"
INPUT_MESSAGES = "gen_ai.input.messages"
OUTPUT_MESSAGES = "gen_ai.output.messages"
TOOL_ARGUMENTS = "gen_ai.tool.call.arguments"
TOOL_RESULT = "gen_ai.tool.call.result"
ERROR = "error.type"

OTHER = "_OTHER"
"""The value of the conventions for a name that isn't known, so that the number of names stays small."""

_CACHED = 1_024

_request_id = text_encoder("polyant.request.id")
_conversation = text_encoder(CONVERSATION)
_input_tokens = count_encoder(INPUT_TOKENS)
_output_tokens = count_encoder(OUTPUT_TOKENS)
_cached_tokens = count_encoder(CACHED_TOKENS)

Attributes = dict[str, str | int]


@lru_cache(_CACHED)
def agent_constant(provider: str, model: str, *, agent_id: str, slug: str, channel: str, error: str | None) -> bytes:
    """Returns the name and the attributes that the spans of an instance's turns share."""
    given: Attributes = {
        OPERATION: "invoke_agent",
        PROVIDER: provider,
        MODEL: model,
        AGENT_ID: agent_id,
        AGENT_NAME: slug,
        "polyant.channel": channel,
    }
    return encode_constant(f"invoke_agent {slug}", given if error is None else {**given, ERROR: error})


@lru_cache(_CACHED)
def chat_constant(provider: str, model: str, error: str | None) -> bytes:
    """Returns the name and the attributes that the spans of a model's calls share."""
    given: Attributes = {OPERATION: "chat", PROVIDER: provider, MODEL: model}
    return encode_constant(f"chat {model}", given if error is None else {**given, ERROR: error}, client=True)


@lru_cache(_CACHED)
def tool_constant(name: str, *, ok: bool) -> bytes:
    """Returns the name and the attributes that the spans of a tool's calls share."""
    attributes: Attributes = {
        OPERATION: "execute_tool",
        TOOL_NAME: name,
        TOOL_TYPE: "extension" if "__" in name else "function",
    }
    return encode_constant(f"execute_tool {name}", attributes if ok else {**attributes, ERROR: "tool_error"})


def encoded_request(turn: ObservedTurn) -> bytes:
    """Returns the attributes of a turn's span that identify its request, encoded."""
    context = turn.context
    request_id = _request_id(context.request_id)
    return request_id if context.chat_id is None else request_id + _conversation(context.chat_id)


def step_content_attributes(first: StepContent | None, last: StepContent | None) -> Attributes:
    """Returns the input of the first model call and the output of the last one; nothing if text isn't recorded."""
    if first is None or last is None:
        return {}
    return {
        SYSTEM_INSTRUCTIONS: first.system_instructions,
        INPUT_MESSAGES: first.input_messages,
        OUTPUT_MESSAGES: last.output_messages,
    }


def tool_content_attributes(content: ToolContent | None) -> Attributes:
    """Returns the id, the arguments and the result of a tool call; nothing if text isn't recorded."""
    if content is None:
        return {}
    given: Attributes = {TOOL_ARGUMENTS: content.arguments, TOOL_RESULT: content.result}
    return {TOOL_CALL: content.call_id, **given} if content.call_id else given


def encoded_usage(usage: Usage) -> bytes:
    """Returns token counts of at least 0 as encoded attributes."""
    counts = _input_tokens(usage.prompt_tokens) + _output_tokens(usage.completion_tokens)
    return counts + _cached_tokens(usage.cached_tokens) if usage.cached_tokens else counts
