"""Scripted responses of a provider, and the control that a test of a ChatModel has over it."""

from contextlib import aclosing
from typing import Literal, Protocol

import msgspec

from polyant.domain.chat import ModelEvent, ModelFinished, ModelRequest, TextDelta, ToolCall, ToolSpec, Usage
from polyant.domain.errors import ProviderFailure
from polyant.domain.ports.chat_model import ChatModel

FinishReason = Literal["stop", "tool_calls", "length", "content_filter"]

PROVIDER_TEXT = "what only the provider wrote"
"""The text with which a provider under test fails, in addition to the key that it received."""

TOOL = ToolSpec(
    name="weather",
    description="Tells the weather.",
    parameters=msgspec.Raw(b'{"type":"object","properties":{"city":{"type":"string"}}}'),
)
CALLS = (
    ToolCall(id="call_1", name="weather", arguments='{"city":"Zürich"}'),
    ToolCall(id="call_2", name="weather", arguments='{"city":"Oslo"}'),
)


class ScriptedAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A scripted provider response; each text is sent as one chunk of a stream."""

    text: tuple[str, ...] = ("Hel", "lo, ", "Zoë 🐜", "!\n")
    tool_calls: tuple[ToolCall, ...] = ()
    usage: Usage = Usage(12, 34)
    finish_reason: FinishReason = "stop"


HELLO = ScriptedAnswer()
TWO_CALLS = ScriptedAnswer(text=("Let me ", "see."), tool_calls=CALLS, finish_reason="tool_calls")


class ProviderUnderTest(Protocol):
    """A model, and control over the provider that it calls."""

    @property
    def request(self) -> ModelRequest:
        """A request that the provider accepts: one user message, no tools, no streaming, a distant deadline."""

    def answering(self, *outcomes: ScriptedAnswer | ProviderFailure) -> ChatModel:
        """Returns the model; each call of its provider gets the next outcome, and the last outcome repeats.

        The provider refuses whatever the real one refuses. A failure's text is `PROVIDER_TEXT` and the key. The model
        waits before a retry on a clock that advances instantly.
        """


async def events_of(model: ChatModel, request: ModelRequest) -> list[ModelEvent]:
    """Returns all events of a call."""
    async with aclosing(model.generate(request)) as events:
        return [event async for event in events]


def expected_events(answer: ScriptedAnswer, *, stream: bool) -> list[ModelEvent]:
    """Returns the events that the model must yield for the answer."""
    whole = "".join(answer.text)
    texts = answer.text if stream else (whole,) * bool(whole)
    return [
        *map(TextDelta, texts),
        *answer.tool_calls,
        ModelFinished(usage=answer.usage, finish_reason=answer.finish_reason),
    ]
