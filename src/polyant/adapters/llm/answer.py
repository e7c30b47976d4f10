"""What a vendor's answer amounts to, as it is read."""

from typing import Literal

import msgspec

from polyant.adapters.llm.failures import refuse
from polyant.domain.chat import ModelFinished, ToolCall, Usage

FinishReason = Literal["stop", "tool_calls", "length", "content_filter"]


class PartialCall:
    """A tool call whose pieces are still coming."""

    __slots__ = ("announced", "id", "name", "pieces")

    def __init__(self, call_id: str = "", name: str = "", announced: str = "") -> None:
        """Takes what is known at first; arguments `announced` stand unless pieces follow."""
        self.id = call_id
        self.name = name
        self.announced = announced
        self.pieces: list[str] = []

    @property
    def arguments(self) -> str:
        """The arguments as far as they have come."""
        return "".join(self.pieces) or self.announced


class Answer:
    """One vendor's answer; a subclass reads the vendor's form of it."""

    def __init__(self) -> None:
        self.began = False
        """Whether a piece of text, of a tool call or of what the model thinks has come."""
        self.complete = False
        """Whether all of the text and the tool calls has come."""
        self.done = False
        """Whether the vendor said that nothing more follows."""
        self.usage = Usage()
        self.finish_reason: FinishReason = "stop"

    def read_event(self, data: bytes) -> str:
        """Takes the data of one event of a stream and returns the text in it; none once the answer is done.

        Raises:
            CallFailedError: It is an error, or makes no sense.
        """
        raise NotImplementedError

    def read_whole(self, body: bytes) -> str:
        """Takes an answer that comes as one document and returns its text.

        Raises:
            CallFailedError: It is an error, or makes no sense.
        """
        raise NotImplementedError

    def calls(self) -> list[PartialCall]:
        """Returns the tool calls in the order in which the model made them."""
        raise NotImplementedError

    def end(self) -> list[ToolCall | ModelFinished]:
        """Returns the events that follow the text of a complete answer.

        A call without an id gets one; one without a name can't be meant. A vendor that names no special reason for
        stopping stopped for the tool calls, if there are any.
        """
        calls = [_finished(call, number) for number, call in enumerate(self.calls(), start=1)]
        reason: FinishReason = "tool_calls" if calls and self.finish_reason == "stop" else self.finish_reason
        return [*calls, ModelFinished(usage=self.usage, finish_reason=reason)]


def is_object(text: str) -> bool:
    """Returns whether the text is a whole JSON object."""
    try:
        msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return False
    return True


def _finished(call: PartialCall, number: int) -> ToolCall:
    if not call.name:
        refuse()
    return ToolCall(id=call.id or f"call_{number}", name=call.name, arguments=call.arguments or "{}")
