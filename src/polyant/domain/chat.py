"""A conversation turn: what the caller asks, what a model is asked, and the events that come back."""

from typing import Literal

import msgspec

from polyant.domain.instances import Instance, JsonObject, Slug
from polyant.domain.secrets import SecretText


class Usage(msgspec.Struct, frozen=True):
    """Tokens that a provider counted."""

    prompt_tokens: int = 0
    completion_tokens: int = 0

    @property
    def total_tokens(self) -> int:
        """The sum of both."""
        return self.prompt_tokens + self.completion_tokens

    def __add__(self, other: "Usage") -> "Usage":
        """Returns the usage of two calls together."""
        return Usage(self.prompt_tokens + other.prompt_tokens, self.completion_tokens + other.completion_tokens)


class Sampling(msgspec.Struct, frozen=True, kw_only=True):
    """How the model is to choose its words; None leaves it to the provider."""

    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None


class ToolCall(msgspec.Struct, frozen=True, kw_only=True):
    """A model's request to run a tool; `arguments` is JSON text as the model wrote it."""

    id: str
    name: str
    arguments: str


class UserMessage(msgspec.Struct, frozen=True, tag="user"):
    """What the user said."""

    content: str


class AssistantMessage(msgspec.Struct, frozen=True, tag="assistant"):
    """What the assistant said, and the tools it called with it."""

    content: str
    tool_calls: tuple[ToolCall, ...] = ()


class ToolResult(msgspec.Struct, frozen=True, kw_only=True, tag="tool"):
    """What one tool call gave."""

    call_id: str
    content: str
    is_error: bool = False


ModelMessage = UserMessage | AssistantMessage | ToolResult


class ChatRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A caller's request for one turn."""

    model: Slug
    messages: tuple[UserMessage | AssistantMessage, ...]
    caller_instructions: tuple[str, ...] = ()
    """The caller's own system messages, in order."""
    sampling: Sampling = Sampling()
    stream: bool = False


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """One turn of an instance that may be run: the caller is authorised."""

    instance: Instance
    messages: tuple[UserMessage | AssistantMessage, ...]
    caller_instructions: tuple[str, ...] = ()
    sampling: Sampling = Sampling()
    stream: bool = False
    """Whether text is wanted as it comes; a whole answer is cheaper."""


class ToolSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A tool as the model sees it; `parameters` is a JSON schema as JSON text."""

    name: str
    description: str
    parameters: msgspec.Raw


class ModelRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One call of a language model."""

    model: str
    base_url: str
    api_key: SecretText | None
    system: str
    messages: tuple[ModelMessage, ...]
    tools: tuple[ToolSpec, ...] = ()
    """The tools the model may call now; the messages may tell of calls to others."""
    sampling: Sampling = Sampling()
    stream: bool = False
    options: JsonObject = {}
    """The instance's options for the provider's adapter, which decodes them with `decode_options`."""
    deadline: float
    """The Clock's `monotonic` seconds by which the call has to be over."""


class TextDelta(msgspec.Struct, frozen=True):
    """Some more of the answer's text; never empty."""

    text: str


class ModelFinished(msgspec.Struct, frozen=True, kw_only=True):
    """The model call is over."""

    usage: Usage = Usage()
    finish_reason: Literal["stop", "tool_calls", "length", "content_filter"] = "stop"


ModelEvent = TextDelta | ToolCall | ModelFinished


class ToolStarted(msgspec.Struct, frozen=True, kw_only=True):
    """A tool began to run."""

    call_id: str
    name: str


class ToolFinished(msgspec.Struct, frozen=True, kw_only=True):
    """A tool came to its end."""

    call_id: str
    name: str
    milliseconds: float
    ok: bool


class StepFinished(msgspec.Struct, frozen=True, kw_only=True):
    """A model call of the turn itself is over; those of sub-agents are in the sums alone."""

    usage: Usage
    """Summed over all model calls of the turn so far."""
    steps: int


class TurnFinished(msgspec.Struct, frozen=True, kw_only=True):
    """The turn is over; the last event of each turn that did not fail."""

    usage: Usage
    """Summed over all model calls of the turn."""
    steps: int
    milliseconds: float


SupervisorEvent = TextDelta | StepFinished | ToolStarted | ToolFinished | TurnFinished
