"""A conversation turn: the caller's request, the model request, and the resulting events."""

from collections.abc import Iterable, Mapping
from typing import Literal, Protocol, Self

import msgspec

from polyant.domain.instances import Instance, JsonObject, Slug
from polyant.domain.limits import TurnBudget
from polyant.domain.media.parts import ImageLink, MediaPart, StoredPart
from polyant.domain.recorded_content import StepContent, ToolContent
from polyant.domain.secrets import SecretText
from polyant.domain.trace_context import TraceContext
from polyant.domain.turn_context import TurnContext

MAX_TOKENS = 2**53
"""The highest token count that is taken from a provider: every JSON parser and database holds it exactly."""
MAX_TOOL_CALLS = 128
"""Tool calls of one model call that are run; a model that makes more is broken or hostile."""


class Usage(msgspec.Struct, frozen=True):
    """Token counts as reported by the provider."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    """The part of `prompt_tokens` that the provider read from its prompt cache."""

    @property
    def total_tokens(self) -> int:
        """The sum of prompt and completion tokens."""
        return self.prompt_tokens + self.completion_tokens

    @property
    def clamped(self) -> "Usage":
        """The same counts, each brought into the range from 0 to MAX_TOKENS: providers report all sorts of numbers.

        `cached_tokens` is at most `prompt_tokens`.
        """
        prompt, completion = self.prompt_tokens, self.completion_tokens
        if 0 <= self.cached_tokens <= prompt <= MAX_TOKENS and 0 <= completion <= MAX_TOKENS:
            return self
        prompt, completion = min(max(prompt, 0), MAX_TOKENS), min(max(completion, 0), MAX_TOKENS)
        return Usage(prompt, completion, min(max(self.cached_tokens, 0), prompt))

    def __add__(self, other: "Usage") -> "Usage":
        """Returns the sum of two usages."""
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.cached_tokens + other.cached_tokens,
        )


class Sampling(msgspec.Struct, frozen=True, kw_only=True):
    """Sampling parameters of the model; None means the provider's default."""

    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None


class ProviderFields(msgspec.Struct, frozen=True, kw_only=True):
    """Further fields of the caller's request, which a ChatModel sends if its provider has an equivalent."""

    response_format: msgspec.Raw | None = None
    """A JSON object in OpenAI's form, such as `{"type":"json_object"}`; its schema is not checked."""
    reasoning_effort: str | None = None
    logit_bias: Mapping[str, float] | None = None
    verbosity: str | None = None
    prompt_cache_key: str | None = None
    safety_identifier: str | None = None
    user: str | None = None
    """The caller's id of the end user. Like the three fields above, only OpenAI's own servers receive it."""


class ProviderData(msgspec.Struct, frozen=True, kw_only=True):
    """Provider state that must be returned unchanged, such as a signature of the model's reasoning.

    It lives for one turn. A Supervisor sends it back with the message or tool call it arrived with; only the ChatModel
    of the same provider and model reads it. It never appears in a response, a log line or a repr.
    """

    provider: str
    model: str
    data: msgspec.Raw
    """The JSON as received from the provider."""

    def __repr__(self) -> str:
        """Returns a representation without the data."""
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


UserPart = TextPart | MediaPart | ImageLink | StoredPart


class UserMessage(msgspec.Struct, frozen=True, tag="user"):
    """A user message; its parts are in order."""

    parts: tuple[UserPart, ...]

    @classmethod
    def of(cls, text: str) -> Self:
        """Returns a message with a single text part."""
        return cls((TextPart(text),))

    @property
    def text(self) -> str:
        """The concatenated text of all text parts."""
        if len(self.parts) == 1 and isinstance(self.parts[0], TextPart):  # most messages
            return self.parts[0].text
        return "".join([part.text for part in self.parts if isinstance(part, TextPart)])

    @property
    def has_media(self) -> bool:
        """Whether a part isn't text."""
        parts = self.parts
        if len(parts) == 1:
            return not isinstance(parts[0], TextPart)
        return any(not isinstance(part, TextPart) for part in parts)


class AssistantMessage(msgspec.Struct, frozen=True, tag="assistant"):
    """An assistant message with its tool calls."""

    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    provider_data: ProviderData | None = None


class ToolResult(msgspec.Struct, frozen=True, kw_only=True, tag="tool"):
    """The result of one tool call."""

    call_id: str
    content: str
    is_error: bool = False


ModelMessage = UserMessage | AssistantMessage | ToolResult


def any_has_media(messages: Iterable[ModelMessage]) -> bool:
    """Returns whether a message has a part that isn't text."""
    # One loop without calls: each turn asks this several times, of up to a thousand messages.
    for message in messages:
        if isinstance(message, UserMessage):
            for part in message.parts:
                if not isinstance(part, TextPart):
                    return True
    return False


class ChatRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A caller's request for one turn."""

    model: Slug
    messages: tuple[UserMessage | AssistantMessage, ...]
    caller_instructions: tuple[str, ...] = ()
    """The caller's own system messages, in order."""
    sampling: Sampling = Sampling()
    provider_fields: ProviderFields = ProviderFields()
    stream: bool = False


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """One turn of an instance, for a caller who is already authorised."""

    instance: Instance
    context: TurnContext
    budget: TurnBudget
    """The server's budget with the instance's own limits applied."""
    deadline: float
    """The Clock's `monotonic` seconds at which the turn must end."""
    messages: tuple[UserMessage | AssistantMessage, ...]
    caller_instructions: tuple[str, ...] = ()
    sampling: Sampling = Sampling()
    provider_fields: ProviderFields = ProviderFields()
    stream: bool = False
    """Whether to produce text incrementally; a complete answer is cheaper."""
    recorder: "CallRecorder | None" = None
    """Reports the calls that aren't events of the turn; None if no observer asks for them. The `Toolbox` uses it."""


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
    """The whole system prompt."""
    caller_section: str = ""
    """The end of `system` that comes from the caller; what precedes it is the same in all conversations of the day."""
    messages: tuple[ModelMessage, ...]
    tools: tuple[ToolSpec, ...] = ()
    """The tools the model may call now; the messages may contain calls of other tools."""
    sampling: Sampling = Sampling()
    provider_fields: ProviderFields = ProviderFields()
    stream: bool = False
    public_only: bool = False
    """Whether the call may connect to public IP addresses only, see `polyant.domain.public_addresses`."""
    options: JsonObject = {}
    """The instance's options for the provider's adapter, which decodes them with `decode_options`."""
    trace: TraceContext | None = None
    """The trace that the call belongs to; its headers are sent to the provider."""
    deadline: float
    """The Clock's `monotonic` seconds by which the call must finish."""


class TextDelta(msgspec.Struct, frozen=True):
    """The next piece of the model's text; never empty."""

    text: str


class ModelFinished(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a model call."""

    usage: Usage = Usage()
    finish_reason: Literal["stop", "tool_calls", "length", "content_filter", "paused"] = "stop"
    """`paused`: the provider interrupted a long response, and continues it when the message is sent back."""
    provider_data: ProviderData | None = None
    """State of the whole message; the state of a single tool call is in its ToolCall."""


ModelEvent = TextDelta | ToolCall | ModelFinished


class ToolStarted(msgspec.Struct, frozen=True, kw_only=True):
    """The start of a tool run."""

    call_id: str
    name: str


class ToolFinished(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a tool run."""

    call_id: str
    name: str
    milliseconds: float
    ok: bool
    content: ToolContent | None = None
    """The text of the call, only for a turn whose content is recorded."""
    offered: bool = False
    """Whether the model was offered a tool of that name: it can call any name."""
    sub_agent: bool = False
    """Whether a sub-agent called the tool; only observers receive such calls."""


class StepFinished(msgspec.Struct, frozen=True, kw_only=True):
    """The end of one model call.

    The events of a turn contain its own calls that succeeded. Observers also receive failed calls, and the calls of
    sub-agents.
    """

    usage: Usage
    """The total over all model calls of the turn so far."""
    steps: int
    milliseconds: float
    """The duration of this model call."""
    content: StepContent | None = None
    """The text of the call, only for a turn whose content is recorded."""
    error: str | None = None
    """The kind of failure, such as `rate_limit`, or `cancelled`; None for a call that succeeded."""
    sub_agent: bool = False
    """Whether a sub-agent called the model."""


class TurnFinished(msgspec.Struct, frozen=True, kw_only=True):
    """The end of the turn; the last event of each turn that didn't fail."""

    usage: Usage
    """The total over all model calls of the turn."""
    steps: int
    milliseconds: float


SupervisorEvent = TextDelta | StepFinished | ToolStarted | ToolFinished | TurnFinished


class CallRecorder(Protocol):
    """Reports the calls of one turn that aren't among its events, and renders the text of its calls."""

    @property
    def records_text(self) -> bool:
        """Whether the text of the turn's calls is recorded."""

    def report(self, event: StepFinished | ToolFinished) -> None:
        """Passes a call of a sub-agent, or a failed model call, to the observers."""

    def step_content(self, request: ModelRequest, reply: AssistantMessage, finish_reason: str) -> StepContent | None:
        """Returns the text of a model call; None if it isn't recorded."""

    def tool_content(self, call: ToolCall, result: ToolResult) -> ToolContent | None:
        """Returns the text of a tool call; None if it isn't recorded."""
