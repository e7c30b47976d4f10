"""Reads a provider's response, whole or as a stream."""

from contextlib import suppress
from typing import Any, TypeVar

import msgspec

from polyant.adapters.llm.failures import CallFailedError, InvalidResponseError, decode, raise_bad_response
from polyant.adapters.llm.finish_reasons import FinishReason
from polyant.adapters.llm.json_lines import JsonLinesDecoder
from polyant.adapters.llm.lenient_json import as_arguments, dumps, is_object, joined, loads
from polyant.adapters.llm.sse import SseDecoder
from polyant.domain.chat import MAX_TOOL_CALLS, ModelFinished, ProviderData, ToolCall, Usage
from polyant.domain.errors import ProviderFailure

T = TypeVar("T")

_HIGH_SURROGATES = ("\ud800", "\udbff")
_JSON_STARTS = (b"{", b"[")


class ProviderModel(msgspec.Struct, frozen=True):
    """The provider and the model that opaque state belongs to."""

    provider: str
    model: str

    def tagged(self, state: Any) -> ProviderData:
        """Returns the state with this provider and model."""
        return ProviderData(provider=self.provider, model=self.model, data=msgspec.Raw(dumps(state).encode()))

    def state_in(self, data: ProviderData | None) -> Any:
        """Returns the decoded state if it belongs to this provider and model, else None."""
        if data is None or (data.provider, data.model) != (self.provider, self.model):
            return None
        return msgspec.json.decode(data.data)


class PartialToolCall:
    """A tool call that is still being received.

    Args:
        call_id: The id, if it is known.
        name: The tool's name, if it is known.
        initial_arguments: The arguments, unless deltas follow.
    """

    __slots__ = ("checked", "deltas", "id", "initial_arguments", "name", "state")

    def __init__(self, call_id: str = "", name: str = "", initial_arguments: str = "") -> None:
        self.id = call_id
        self.name = name
        self.initial_arguments = initial_arguments
        self.deltas: list[str] = []
        self.checked = 0
        """The characters that have been parsed to find the end of the arguments."""
        self.state: dict[str, Any] = {}
        """The provider's opaque state of this call."""

    @property
    def arguments(self) -> str:
        """The arguments received so far."""
        return "".join(self.deltas) or self.initial_arguments

    @property
    def final_arguments(self) -> str:
        """The arguments of the complete call, as a JSON object where they can be read as one.

        Some servers repeat in each delta what came before, so that the last delta has all of the arguments.
        """
        deltas = self.deltas
        if len(deltas) > 1 and deltas[0] and all(map(str.startswith, deltas[1:], deltas)) and is_object(deltas[-1]):
            return as_arguments(deltas[-1])
        return as_arguments(self.arguments)


class ResponseReader:
    """Collects one response; each provider's format has a subclass.

    Args:
        owner: The provider and model to tag opaque state with; without it, opaque state is dropped.
    """

    def __init__(self, owner: ProviderModel | None = None) -> None:
        self._owner = owner
        self.is_mended = False
        """Whether a strict decoder has rejected some data; then text may contain halves of surrogate pairs."""
        self._half = ""
        """A first half of a surrogate pair, whose second half may follow in the next delta."""
        self.began = False
        """Whether any text, tool call or reasoning has been received."""
        self.complete = False
        """Whether the text and the tool calls have been received completely."""
        self.done = False
        """Whether the provider has ended the stream."""
        self.has_text = False
        """Whether any text has been received."""
        self.usage = Usage()
        self.finish_reason: FinishReason | None = None
        """The finish reason; None if the provider has sent none."""

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

    def state(self) -> Any:
        """Returns the provider's opaque state of the whole message; empty or None if there is none."""
        return None

    def read_last_event(self, decoder: SseDecoder | JsonLinesDecoder) -> str:
        """Returns the text in an event that the stream ended without the blank line or the line end after it.

        If the body turned out to be one JSON document, it returns the text of this document.

        Raises:
            CallFailedError: The event is an error. An incomplete event is ignored. An incomplete document is an error.
        """
        if isinstance(decoder, JsonLinesDecoder) and not decoder.is_stream:
            text = self.read_whole(decoder.body)
            return text if self.complete else ""
        texts = []
        with suppress(InvalidResponseError):
            for data in decoder.end():
                texts.append(self.read_event(data))  # noqa: PERF401 - the texts must survive the error
        return "".join(texts)

    def read_whole(self, body: bytes) -> str:
        """Returns the text of a body that was received completely; its content tells JSON from a stream of events.

        JSON is one response, or the events of a stream in lines or in an array.

        Args:
            body: The body without leading white space.

        Raises:
            CallFailedError: The response is an error, or can't be decoded.
        """
        if not is_json(body):
            events = SseDecoder()
            return self._read_events(events, events.feed(body))
        if b"\n" in body:
            lines = JsonLinesDecoder()
            first = lines.feed(body)
            if lines.is_stream:
                return self._read_events(lines, first)
        items = _items_of(body)
        text = "".join(map(self.read_event, items)) if items else self.read_body(body)
        return text + self.rest()

    def _read_events(self, decoder: SseDecoder | JsonLinesDecoder, events: list[bytes]) -> str:
        text = "".join(map(self.read_event, events))
        return text + self.read_last_event(decoder) + self.rest()

    def rest(self) -> str:
        """Returns the text that was held back until the end: half a surrogate pair whose other half never came."""
        rest, self._half = joined(self._half), ""
        return rest

    def end(self) -> list[ToolCall | ModelFinished]:
        """Returns the events that follow the text of a complete response.

        There are at most MAX_TOOL_CALLS calls; one without an id gets one. If there are calls and the finish reason is
        `stop` or `paused`, it becomes `tool_calls`.

        Raises:
            CallFailedError: A tool call has no name, or there is neither text nor a tool call nor a finish reason.
        """
        calls = [self._finished(call, number) for number, call in enumerate(self.calls()[:MAX_TOOL_CALLS], start=1)]
        if not calls and not self.has_text and self.finish_reason is None:
            raise CallFailedError(ProviderFailure.BAD_RESPONSE, retry=True)
        reason: FinishReason = self.finish_reason or "stop"
        if calls and reason in {"stop", "paused"}:
            reason = "tool_calls"
        return [*calls, ModelFinished(usage=self.usage, finish_reason=reason, provider_data=self._tagged(self.state()))]

    def mended(self, decoder: msgspec.json.Decoder[T], data: bytes) -> T:
        """Returns the data decoded as leniently as possible.

        Raises:
            InvalidResponseError: The data can't be decoded.
        """
        self.is_mended = True
        return decode(decoder, data)

    def received(self, text: str) -> str:
        """Returns the text to pass on, and notes that there is some; surrogates are joined across deltas."""
        if not text:
            return ""
        self.began = self.has_text = True
        if not self.is_mended:
            return text
        text = self._half + text
        self._half = text[-1] if _HIGH_SURROGATES[0] <= text[-1] <= _HIGH_SURROGATES[1] else ""
        return joined(text[:-1] if self._half else text)

    def _finished(self, call: PartialToolCall, number: int) -> ToolCall:
        if not call.name:
            raise_bad_response()
        return ToolCall(
            id=joined(call.id) or f"call_{number}",
            name=joined(call.name),
            arguments=call.final_arguments,
            provider_data=self._tagged(call.state),
        )

    def _tagged(self, state: Any) -> ProviderData | None:
        return self._owner.tagged(state) if state and self._owner is not None else None


def is_json(start: bytes) -> bool:
    """Returns whether a body that starts like this is JSON; otherwise it is a stream of events."""
    return start.startswith(_JSON_STARTS)


def _items_of(body: bytes) -> list[bytes]:
    """Returns the objects of an array, which are the events of a stream; empty if there are less than two."""
    if not body.startswith(b"["):
        return []
    try:
        items = loads(body)
    except (ValueError, RecursionError):
        return []
    return [dumps(item).encode() for item in items] if len(items) > 1 else []
