"""Wire structs of /v1, with OpenAI's own names.

Source: the specification (a subset of https://platform.openai.com/docs/api-reference/chat) and its case-by-case page.
"""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType


class ContentPart(msgspec.Struct, frozen=True):
    """One part of a message; only text is accepted, which `mapping` checks."""

    type: Annotated[str, Meta(extra_json_schema={"enum": ["text"]})]
    text: str | UnsetType = UNSET


class MessageIn(msgspec.Struct, frozen=True):
    """One message of the conversation; the role is checked by `mapping`, which can say what is wrong with it."""

    role: Annotated[str, Meta(extra_json_schema={"enum": ["system", "developer", "user", "assistant"]})]
    content: str | list[ContentPart] | None = None


class StreamOptions(msgspec.Struct, frozen=True):
    """Options of a stream."""

    include_usage: bool | None = None


Penalty = Annotated[float, Meta(ge=-2, le=2)] | None
TokenCount = Annotated[int, Meta(ge=1)] | None


class ChatCompletionRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The body of POST /v1/chat/completions; fields that aren't named here are ignored."""

    model: Annotated[str, Meta(examples=["support-bot"])]
    messages: Annotated[list[MessageIn], Meta(min_length=1)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    max_tokens: TokenCount = None
    max_completion_tokens: TokenCount = None
    stop: str | Annotated[list[str], Meta(max_length=4)] | None = None
    seed: Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | None = None
    presence_penalty: Penalty = None
    frequency_penalty: Penalty = None
    chat_id: Annotated[str, Meta(max_length=128)] | None = None
    user: Annotated[Any, Meta(extra_json_schema={"type": "string"})] = None
    """The end user's id; anything but a text is ignored."""


class UsageOut(msgspec.Struct, frozen=True):
    """Token counts; zeros unless the operator reports the real ones."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0


class AnswerMessage(msgspec.Struct, frozen=True):
    """The assistant's answer, its keys in OpenAI's order."""

    role: str
    content: str


class Choice(msgspec.Struct, frozen=True):
    """The one choice of an answer."""

    index: int
    message: AnswerMessage
    finish_reason: str


class ChatCompletion(msgspec.Struct, frozen=True):
    """The whole answer, its keys in OpenAI's order."""

    id: str
    object: str
    created: int
    model: str
    choices: tuple[Choice]
    usage: UsageOut


class ModelOut(msgspec.Struct, frozen=True):
    """An instance as a model."""

    id: str
    object: str
    created: int
    owned_by: str


class ModelList(msgspec.Struct, frozen=True):
    """All models."""

    object: str
    data: tuple[ModelOut, ...]
