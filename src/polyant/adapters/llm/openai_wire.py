"""Requests and responses of OpenAI's Chat Completions API.

See https://platform.openai.com/docs/api-reference/chat. Fields that Polyant doesn't use are not listed; they are
skipped.
"""

from collections.abc import Mapping
from typing import Any

import msgspec


class SystemMessage(msgspec.Struct, frozen=True, tag_field="role", tag="system"):
    content: str


class TextPart(msgspec.Struct, frozen=True, tag_field="type", tag="text"):
    text: str


class ImageUrl(msgspec.Struct, frozen=True, omit_defaults=True):
    url: str
    detail: str | None = None


class ImagePart(msgspec.Struct, frozen=True, tag_field="type", tag="image_url"):
    image_url: ImageUrl


class InputAudio(msgspec.Struct, frozen=True):
    data: str
    format: str


class AudioPart(msgspec.Struct, frozen=True, tag_field="type", tag="input_audio"):
    input_audio: InputAudio


class File(msgspec.Struct, frozen=True):
    filename: str
    file_data: str


class FilePart(msgspec.Struct, frozen=True, tag_field="type", tag="file"):
    file: File


ContentPart = TextPart | ImagePart | AudioPart | FilePart


class UserMessage(msgspec.Struct, frozen=True, tag_field="role", tag="user"):
    content: str | list[ContentPart]


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
    messages: list[Message | Mapping[str, Any]]
    """A mapping is a message with fields that are specific to its server."""
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


class Delta(msgspec.Struct, frozen=True):
    """The `delta` of a chunk, or the `message` of a complete response.

    Servers vary in the types of these values, so their readers check them.
    """

    content: Any = None
    refusal: Any = None
    tool_calls: Any = None
    function_call: Any = None
    """A tool call in the form that preceded `tool_calls`."""
    reasoning_content: Any = None
    """The model's reasoning, as vLLM and DeepSeek name it; not shown, but it stops the first-token timeout."""
    reasoning: Any = None
    """The model's reasoning, as Ollama, Groq and OpenRouter name it."""
    reasoning_details: Any = None
    """The model's reasoning with signatures, from OpenRouter."""
    thinking_blocks: Any = None
    """Anthropic's reasoning with signatures, from LiteLLM."""
    extra_content: Any = None
    """Google's thought signature, and its mark of text that is reasoning."""
    error: Any = None
    usage: Any = None


class Choice(msgspec.Struct, frozen=True):
    delta: Delta | None = None
    message: Delta | None = None
    text: Any = None
    """The text of servers that respond in the form of the older Completions API."""
    finish_reason: Any = None
    error: Any = None
    usage: Any = None


class Completion(msgspec.Struct, frozen=True):
    """A chunk, a complete response, or an error."""

    choices: list[Choice] | None = None
    usage: Any = None
    error: Any = None
    object: Any = None
    x_groq: Any = None
    """Groq's usage and errors."""
