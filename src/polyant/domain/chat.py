"""A conversation turn: the caller's request, the model's request, and the events that come back."""

from typing import Literal, Self

import msgspec

from polyant.domain.instances import Instance, JsonObject, Slug
from polyant.domain.limits import TurnBudget
from polyant.domain.secrets import SecretText
from polyant.domain.turn_context import TurnContext


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


class ProviderData(msgspec.Struct, frozen=True, kw_only=True):
    """State that a provider wants back unchanged, such as a signature of the model's reasoning.

    It lives for one turn. A Supervisor returns it with the message or the call it came with; only the ChatModel of the
    same provider and model reads it. It is never part of a response, a log line or a repr.
    """

    provider: str
    model: str
    data: msgspec.Raw
    """JSON as the provider sent it."""

    def __repr__(self) -> str:
        """Returns a text without the data."""
        return f"ProviderData(provider={self.provider!r}, model={self.model!r})"


class ToolCall(msgspec.Struct, frozen=True, kw_only=True):
    """A model's request to run a tool; `arguments` is JSON text as the model wrote it."""

    id: str
    name: str
    arguments: str
    provider_data: ProviderData | None = None


class TextPart(msgspec.Struct, frozen=True, tag="text"):
    """A piece of text in a message."""

    text: str


class UserMessage(msgspec.Struct, frozen=True, tag="user"):
    """A message of the user, in the order of its parts."""

    parts: tuple[TextPart, ...]

    @classmethod
    def of(cls, text: str) -> Self:
        """Returns a message of that text alone."""
        return cls((TextPart(text),))

    @property
    def text(self) -> str:
        """The text of all text parts, joined."""
        parts = self.parts
        return parts[0].text if len(parts) == 1 else "".join(part.text for part in parts)


class AssistantMessage(msgspec.Struct, frozen=True, tag="assistant"):
    """A message of the assistant, with the tool calls it made."""

    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    provider_data: ProviderData | None = None


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
    context: TurnContext
    budget: TurnBudget
    """The server's budget with the instance's own limits applied."""
    deadline: float
    """The Clock's `monotonic` seconds at which the turn ends, whoever runs or consumes it."""
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
    provider_data: ProviderData | None = None
    """State that belongs to the whole message; that of one call comes with its ToolCall."""


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
    milliseconds: float
    """The duration of this model call."""


class TurnFinished(msgspec.Struct, frozen=True, kw_only=True):
    """The turn is over; the last event of each turn that did not fail."""

    usage: Usage
    """Summed over all model calls of the turn."""
    steps: int
    milliseconds: float


SupervisorEvent = TextDelta | StepFinished | ToolStarted | ToolFinished | TurnFinished
