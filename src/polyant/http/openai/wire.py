"""Wire structs of /v1, with OpenAI's names.

Source: the specification, a subset of https://platform.openai.com/docs/api-reference/chat.
"""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from polyant.domain.chat import MAX_TOKENS

MIN_SEED = -(2**63)
MAX_SEED = 2**63 - 1


_IMAGE_URL = Meta(
    description=(
        "The image of an `image_url` part, for instances that allow image input; ignored in other parts. An object "
        "with `url`, a data URL or an http or https URL on the public internet, and `detail`: `auto`, `low` or `high`"
    ),
    examples=[{"url": "data:image/png;base64,iVBORw0KGgo=", "detail": "auto"}],
)


class ContentPart(msgspec.Struct, frozen=True):
    """One part of a message: text, an image or, in an assistant message, a refusal."""

    type: Annotated[str, Meta(extra_json_schema={"enum": ["text", "image_url", "refusal"]})]
    text: str | UnsetType | None = UNSET
    refusal: str | UnsetType | None = UNSET
    image_url: Annotated[Any, _IMAGE_URL] = UNSET


class MessageIn(msgspec.Struct, frozen=True):
    """One message of the conversation."""

    role: Annotated[str, Meta(extra_json_schema={"enum": ["system", "developer", "user", "assistant"]})]
    content: str | list[ContentPart] | None = None
    refusal: str | None = None


class StreamOptions(msgspec.Struct, frozen=True):
    """Options for `stream`."""

    include_usage: Annotated[
        bool | None, Meta(description="Whether to send a final chunk with the token usage; defaults to false")
    ] = None


Penalty = Annotated[float, Meta(ge=-2, le=2)] | None
Bias = Annotated[float, Meta(ge=-100, le=100)]
ShortText = Annotated[str, Meta(max_length=512)] | None

# JSON has one type for numbers, and some languages write whole ones as 5.0. So integers are declared as `int | float`,
# and `sampling` narrows them. The OpenAPI document calls them integers, which JSON Schema defines the same way.
TokenCount = Annotated[int, Meta(ge=1, le=MAX_TOKENS)] | float | None
Seed = Annotated[int, Meta(ge=MIN_SEED, le=MAX_SEED)] | float | None


_ABSENT = msgspec.field(default_factory=msgspec.Raw)
_RESPONSE_FORMAT = Meta(
    description="The form of the response, such as JSON with a schema; passed to the provider unchecked",
    extra_json_schema={
        "anyOf": [
            {"type": "object", "properties": {"type": {"type": "string", "minLength": 1}}, "required": ["type"]},
            {"type": "null"},
        ]
    },
)


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
    seed: Seed = None
    presence_penalty: Penalty = None
    frequency_penalty: Penalty = None
    response_format: Annotated[msgspec.Raw, _RESPONSE_FORMAT] = _ABSENT
    reasoning_effort: Annotated[str, Meta(max_length=64, description="Passed to the provider")] | None = None
    logit_bias: Annotated[dict[str, Bias], Meta(description="Passed to the provider")] | None = None
    verbosity: Annotated[ShortText, Meta(description="Passed to OpenAI only")] = None
    prompt_cache_key: Annotated[ShortText, Meta(description="Passed to OpenAI only")] = None
    safety_identifier: Annotated[ShortText, Meta(description="Passed to OpenAI only")] = None
    user: Annotated[
        Any,
        Meta(extra_json_schema={"type": "string"}, description="Your id of the end user; ignored if it isn't a string"),
    ] = None
    chat_id: Annotated[str, Meta(max_length=128, description="Your id of the conversation")] | None = None
    tools: Annotated[msgspec.Raw, Meta(description="Ignored: tools run on the server", examples=[[]])] = _ABSENT
    functions: Annotated[msgspec.Raw, Meta(description="Ignored: tools run on the server", examples=[[]])] = _ABSENT
    n: Annotated[msgspec.Raw, Meta(description="Ignored: there is one choice", examples=[1])] = _ABSENT
    logprobs: Annotated[msgspec.Raw, Meta(description="Ignored", examples=[False])] = _ABSENT
    modalities: Annotated[msgspec.Raw, Meta(description="Ignored: the response is text", examples=[["text"]])] = _ABSENT
    audio: Annotated[msgspec.Raw, Meta(description="Ignored", examples=[None])] = _ABSENT
    prediction: Annotated[msgspec.Raw, Meta(description="Ignored", examples=[None])] = _ABSENT


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


class Accepted(msgspec.Struct, frozen=True):
    """The kinds of input that an instance accepts in addition to text."""

    image_input: bool
    response_format: Annotated[bool, Meta(description="Whether the provider receives `response_format`")]
    tools_ignored: Annotated[bool, Meta(description="Whether `tools` are ignored; always true")]


class ModelDetails(msgspec.Struct, frozen=True):
    """A model: an active instance, and what it accepts."""

    id: str
    object: str
    created: int
    owned_by: str
    polyant: Accepted


class ModelList(msgspec.Struct, frozen=True):
    """The list of models."""

    object: str
    data: tuple[ModelOut, ...]
