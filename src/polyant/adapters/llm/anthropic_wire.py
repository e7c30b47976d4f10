"""Requests and responses of Anthropic's Messages API.

See https://platform.claude.com/docs/en/api/messages. Fields that Polyant doesn't use are not listed; they are skipped.
New types of events, deltas and blocks are skipped too: Anthropic's versioning policy allows adding them.
"""

from typing import Any, Literal

import msgspec


class CacheControl(msgspec.Struct, frozen=True, tag_field="type", tag="ephemeral"):
    """Marks the end of a prefix that the provider caches for five minutes; a request has at most four."""


class TextBlock(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="type", tag="text"):
    text: str
    cache_control: CacheControl | None = None


class ToolUseBlock(msgspec.Struct, frozen=True, tag_field="type", tag="tool_use"):
    id: str
    name: str
    input: msgspec.Raw


class ToolResultBlock(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="type", tag="tool_result"):
    tool_use_id: str
    content: str = ""
    is_error: bool = False
    cache_control: CacheControl | None = None


class Source(msgspec.Struct, frozen=True, tag_field="type", tag="base64"):
    media_type: str
    data: bytes
    """The content; msgspec encodes it in Base64."""


class ImageBlock(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="type", tag="image"):
    source: Source
    cache_control: CacheControl | None = None


class DocumentBlock(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="type", tag="document"):
    source: Source
    title: str | None = None
    cache_control: CacheControl | None = None


Block = TextBlock | ToolUseBlock | ToolResultBlock | ImageBlock | DocumentBlock | dict[str, Any]
"""A block of a request; an object is one that the provider sent and gets back unchanged."""


class Message(msgspec.Struct, frozen=True):
    role: Literal["user", "assistant"]
    content: list[Block]


class Tool(msgspec.Struct, frozen=True, omit_defaults=True):
    name: str
    description: str
    input_schema: msgspec.Raw
    cache_control: CacheControl | None = None


class ToolChoice(msgspec.Struct, frozen=True):
    type: Literal["none"]


Effort = Literal["low", "medium", "high", "xhigh", "max"]


class OutputFormat(msgspec.Struct, frozen=True, tag_field="type", tag="json_schema"):
    schema: msgspec.Raw


class OutputConfig(msgspec.Struct, frozen=True, omit_defaults=True):
    format: OutputFormat | None = None
    effort: Effort | None = None


class RequestBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    model: str
    max_tokens: int
    messages: list[Message]
    system: tuple[TextBlock, ...] = ()
    stream: bool = False
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop_sequences: tuple[str, ...] = ()
    output_config: OutputConfig | None = None


class Delta(msgspec.Struct, frozen=True):
    """A delta of a block or, in a message_delta, of the message.

    Compatible servers vary in the types of these values, so their readers check them.
    """

    type: Any = None
    text: Any = None
    thinking: Any = None
    signature: Any = None
    citation: Any = None
    content: Any = None
    partial_json: Any = None
    stop_reason: Any = None
    stop_details: Any = None
    error: None = None


class MessageResponse(msgspec.Struct, frozen=True):
    """A complete message, the message of a message_start event, or an error."""

    type: Any = None
    content: Any = None
    """The blocks of the message."""
    stop_reason: Any = None
    stop_details: Any = None
    usage: Any = None
    error: Any = None


class Event(msgspec.Struct, frozen=True):
    """An event of a stream; its `type` determines which fields are set."""

    type: str | None = None
    index: int | float | str | None = 0
    message: MessageResponse | None = None
    content_block: dict[str, Any] | None = None
    """The start of a block."""
    delta: Delta | None = None
    usage: Any = None
    """Cumulative token counts; a message_delta may repeat some, and omitted counts are unchanged."""
    error: None = None
    """No error: an event with one is decoded as `EventWithErrors`, so that other events aren't checked for it."""


class DeltaWithError(Delta, frozen=True):
    """A delta that may contain an error."""

    error: Any = None


class EventWithErrors(Event, frozen=True):
    """An event that may contain an error, itself or in its delta."""

    delta: DeltaWithError | None = None
    error: Any = None
