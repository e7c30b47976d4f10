"""Requests and responses of OpenAI's Chat Completions API.

See https://platform.openai.com/docs/api-reference/chat. Fields that Polyant doesn't use are not listed; they are
skipped.
"""

from collections.abc import Mapping
from typing import Any

import msgspec


class SystemMessage(msgspec.Struct, frozen=True, tag_field="role", tag="system"):
    content: str


class UserMessage(msgspec.Struct, frozen=True, tag_field="role", tag="user"):
    content: str


class Function(msgspec.Struct, frozen=True):
    name: str
    arguments: str


class ToolCall(msgspec.Struct, frozen=True, tag_field="type", tag="function"):
    id: str
    function: Function


class AssistantMessage(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="role", tag="assistant"):
    content: str | None
    """Null in a message that has tool calls but no text."""
    tool_calls: tuple[ToolCall, ...] = ()


class ToolMessage(msgspec.Struct, frozen=True, tag_field="role", tag="tool"):
    tool_call_id: str
    content: str


Message = SystemMessage | UserMessage | AssistantMessage | ToolMessage


class FunctionSpec(msgspec.Struct, frozen=True):
    name: str
    description: str
    parameters: msgspec.Raw


class Tool(msgspec.Struct, frozen=True, tag_field="type", tag="function"):
    function: FunctionSpec


class StreamOptions(msgspec.Struct, frozen=True):
    include_usage: bool


class RequestBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    model: str
    messages: list[Message]
    stream: bool = False
    stream_options: StreamOptions | None = None
    tools: tuple[Tool, ...] = ()
    reasoning_effort: str | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logit_bias: Mapping[str, float] | None = None
    response_format: msgspec.Raw | None = None
    verbosity: str | None = None
    prompt_cache_key: str | None = None
    safety_identifier: str | None = None
    user: str | None = None


class TextPart(msgspec.Struct, frozen=True):
    """An item of `content` when it is a list; items without text, such as Mistral's thinking, are not shown."""

    text: str | None = None


class FunctionDelta(msgspec.Struct, frozen=True):
    name: str | None = None
    arguments: str | dict[str, Any] | None = None
    """Some servers send a JSON object instead of a string."""


class ToolCallDelta(msgspec.Struct, frozen=True):
    index: int | None = None
    id: str | None = None
    function: FunctionDelta | None = None


class Delta(msgspec.Struct, frozen=True):
    """The `delta` of a chunk, or the `message` of a complete response."""

    content: str | list[TextPart] | None = None
    tool_calls: list[ToolCallDelta] | None = None
    reasoning_content: Any = None
    """The model's reasoning, as vLLM and DeepSeek name it; not shown, but it stops the first-token timeout."""
    reasoning: Any = None
    """The model's reasoning, as Ollama, Groq and OpenRouter name it."""


class Choice(msgspec.Struct, frozen=True):
    delta: Delta | None = None
    message: Delta | None = None
    finish_reason: str | None = None


class UsageReport(msgspec.Struct, frozen=True):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class ErrorReport(msgspec.Struct, frozen=True):
    """OpenAI sends `code` and `type`; Google adds `status`."""

    code: str | int | None = None
    type: str | None = None
    status: str | None = None


class Completion(msgspec.Struct, frozen=True):
    """A chunk, a complete response, or an error; some servers send the error's fields at the top level."""

    choices: list[Choice] | None = None
    usage: UsageReport | None = None
    error: ErrorReport | str | None = None
    object: str | None = None
    code: str | int | None = None
    type: str | None = None
