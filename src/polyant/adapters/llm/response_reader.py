"""Reads a provider's response, whole or as a stream."""

from typing import Literal

import msgspec

from polyant.adapters.llm.failures import raise_bad_response
from polyant.domain.chat import ModelFinished, ToolCall, Usage

FinishReason = Literal["stop", "tool_calls", "length", "content_filter"]


class PartialToolCall:
    """A tool call that is still being received.

    Args:
        call_id: The id, if it is known.
        name: The tool's name, if it is known.
        initial_arguments: The arguments, unless deltas follow.
    """

    __slots__ = ("deltas", "id", "initial_arguments", "name")

    def __init__(self, call_id: str = "", name: str = "", initial_arguments: str = "") -> None:
        self.id = call_id
        self.name = name
        self.initial_arguments = initial_arguments
        self.deltas: list[str] = []

    @property
    def arguments(self) -> str:
        """The arguments received so far."""
        return "".join(self.deltas) or self.initial_arguments


class ResponseReader:
    """Collects one response; each provider's format has a subclass."""

    def __init__(self) -> None:
        self.began = False
        """Whether any text, tool call or reasoning has been received."""
        self.complete = False
        """Whether the text and the tool calls have been received completely."""
        self.done = False
        """Whether the provider has ended the stream."""
        self.usage = Usage()
        self.finish_reason: FinishReason = "stop"

    def read_event(self, data: bytes) -> str:
        """Returns the text in one event of a stream; empty when the response is done.

        Args:
            data: The `data` field of the event.

        Raises:
            CallFailedError: The event is an error, or can't be decoded.
        """
        raise NotImplementedError

    def read_body(self, body: bytes) -> str:
        """Returns the text of a response that isn't streamed.

        Raises:
            CallFailedError: The response is an error, or can't be decoded.
        """
        raise NotImplementedError

    def calls(self) -> list[PartialToolCall]:
        """Returns the tool calls in the order in which the model made them."""
        raise NotImplementedError

    def end(self) -> list[ToolCall | ModelFinished]:
        """Returns the events that follow the text of a complete response.

        A tool call without an id gets one. If there are tool calls and the finish reason is `stop`, it becomes
        `tool_calls`.

        Raises:
            CallFailedError: A tool call has no name.
        """
        calls = [_finished(call, number) for number, call in enumerate(self.calls(), start=1)]
        reason: FinishReason = "tool_calls" if calls and self.finish_reason == "stop" else self.finish_reason
        return [*calls, ModelFinished(usage=self.usage, finish_reason=reason)]


def is_object(text: str) -> bool:
    """Returns whether the text is a complete JSON object."""
    try:
        msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return False
    return True


def _finished(call: PartialToolCall, number: int) -> ToolCall:
    if not call.name:
        raise_bad_response()
    return ToolCall(id=call.id or f"call_{number}", name=call.name, arguments=call.arguments or "{}")
