"""Anthropic's Messages API: what is sent and what comes back.

See https://platform.claude.com/docs/en/api/messages. What Polyant doesn't use is not listed; it is skipped, and so are
kinds of events, deltas and blocks that are new: the vendor's versioning policy says that such may come.
"""

from typing import Literal

import msgspec


class TextBlock(msgspec.Struct, frozen=True, tag_field="type", tag="text"):
    text: str


class ToolUseBlock(msgspec.Struct, frozen=True, tag_field="type", tag="tool_use"):
    id: str
    name: str
    input: msgspec.Raw


class ToolResultBlock(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="type", tag="tool_result"):
    tool_use_id: str
    content: str = ""
    is_error: bool = False


Block = TextBlock | ToolUseBlock | ToolResultBlock


class Message(msgspec.Struct, frozen=True):
    role: Literal["user", "assistant"]
    content: list[Block]


class Tool(msgspec.Struct, frozen=True):
    name: str
    description: str
    input_schema: msgspec.Raw


class ToolChoice(msgspec.Struct, frozen=True):
    type: Literal["none"]


class RequestBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    model: str
    max_tokens: int
    messages: list[Message]
    system: str = ""
    stream: bool = False
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop_sequences: tuple[str, ...] = ()


class ContentBlock(msgspec.Struct, frozen=True):
    """A block of a whole answer, or the beginning of one in a stream."""

    type: str
    text: str | None = None
    id: str | None = None
    name: str | None = None
    input: msgspec.Raw = msgspec.Raw()


class Delta(msgspec.Struct, frozen=True):
    """More of a block, or, in a message_delta, of the message."""

    text: str | None = None
    thinking: str | None = None
    partial_json: str | None = None
    stop_reason: str | None = None


class UsageReport(msgspec.Struct, frozen=True):
    """Counts so far; a message_delta repeats some, and what it leaves out stays as it was."""

    input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    output_tokens: int | None = None


class ErrorReport(msgspec.Struct, frozen=True):
    type: str | None = None


class Answered(msgspec.Struct, frozen=True):
    """A message, as a whole answer or as a stream starts it; or an error."""

    content: list[ContentBlock] = []
    stop_reason: str | None = None
    usage: UsageReport | None = None
    error: ErrorReport | None = None


class Event(msgspec.Struct, frozen=True):
    """Any event of a stream; `type` says which fields to expect."""

    type: str
    index: int = 0
    message: Answered | None = None
    content_block: ContentBlock | None = None
    delta: Delta | None = None
    usage: UsageReport | None = None
    error: ErrorReport | None = None
