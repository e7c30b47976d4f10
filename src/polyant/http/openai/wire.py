"""Wire structs of /v1, with OpenAI's names.

Source: the specification, a subset of https://platform.openai.com/docs/api-reference/chat.
"""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType


class ContentPart(msgspec.Struct, frozen=True):
    """One part of a message; only text parts are accepted."""

    type: Annotated[str, Meta(extra_json_schema={"enum": ["text"]})]
    text: str | UnsetType = UNSET


class MessageIn(msgspec.Struct, frozen=True):
    """One message of the conversation."""

    role: Annotated[str, Meta(extra_json_schema={"enum": ["system", "developer", "user", "assistant"]})]
    content: str | list[ContentPart] | None = None


class StreamOptions(msgspec.Struct, frozen=True):
    """Options for `stream`."""

    include_usage: Annotated[
        bool | None, Meta(description="Whether to send a final chunk with the token usage; defaults to false")
    ] = None


Penalty = Annotated[float, Meta(ge=-2, le=2)] | None
TokenCount = Annotated[int, Meta(ge=1)] | None


class ChatCompletionRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A chat request; unknown fields are ignored."""

    model: Annotated[str, Meta(description="Slug of the instance", examples=["support-bot"])]
    messages: Annotated[list[MessageIn], Meta(min_length=1, description="The conversation so far")]
    stream: Annotated[bool | None, Meta(description="Whether to stream the response; defaults to false")] = None
    stream_options: StreamOptions | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    max_tokens: TokenCount = None
    max_completion_tokens: TokenCount = None
    stop: str | Annotated[list[str], Meta(max_length=4)] | None = None
    seed: Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | None = None
    presence_penalty: Penalty = None
    frequency_penalty: Penalty = None
    chat_id: Annotated[str, Meta(max_length=128, description="Your id of the conversation")] | None = None
    user: Annotated[
        Any,
        Meta(extra_json_schema={"type": "string"}, description="Your id of the end user; ignored if it isn't a string"),
    ] = None


class UsageOut(msgspec.Struct, frozen=True):
    """Token counts; all zero unless the server reports usage."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0


class AssistantMessageOut(msgspec.Struct, frozen=True):
    """The assistant's message."""

    role: str
    content: str


class Choice(msgspec.Struct, frozen=True):
    """The only choice of a chat completion."""

    index: int
    message: AssistantMessageOut
    finish_reason: str


class ChatCompletion(msgspec.Struct, frozen=True):
    """A chat completion."""

    id: str
    object: str
    created: int
    model: str
    choices: tuple[Choice]
    usage: UsageOut


class ModelOut(msgspec.Struct, frozen=True):
    """A model: an active instance."""

    id: str
    object: str
    created: int
    owned_by: str


class ModelList(msgspec.Struct, frozen=True):
    """The list of models."""

    object: str
    data: tuple[ModelOut, ...]
