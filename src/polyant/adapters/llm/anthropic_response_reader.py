"""Reads a response of Anthropic's Messages API, including the variants of compatible servers."""

from typing import Any

import msgspec

from polyant.adapters.llm.anthropic_blocks import TEXT, TOOL_USE, PartialBlock, needs_echo
from polyant.adapters.llm.anthropic_wire import Delta, Event, EventWithErrors, MessageResponse
from polyant.adapters.llm.error_reports import failure_of_report, has_error, is_error
from polyant.adapters.llm.failures import DECODE_ERRORS, decode_object
from polyant.adapters.llm.finish_reasons import finish_reason_of
from polyant.adapters.llm.response_reader import PartialToolCall, ProviderModel, ResponseReader
from polyant.adapters.llm.token_usage import count_in
from polyant.domain.chat import Usage

_EVENT = msgspec.json.Decoder(Event)
_EVENT_WITH_ERRORS = msgspec.json.Decoder(EventWithErrors)
_RESPONSE = msgspec.json.Decoder(MessageResponse)
_PAUSES = ("pause_turn", "compaction")
_Index = int | float | str | None
_PROMPT_COUNTS = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
_COUNTS = (*_PROMPT_COUNTS, "output_tokens")
_DONE = b"[DONE]"
_MAX_BLOCKS = 10_000
"""The blocks of a message that are kept; of others, only the text is passed on."""
_EVENT_TYPES = frozenset(
    {
        *("message_start", "message_delta", "message_stop"),
        *("content_block_start", "content_block_delta", "content_block_stop", "ping"),
    }
)


def _check_error(part: EventWithErrors | MessageResponse) -> None:
    errors = [part.error]
    if isinstance(part, EventWithErrors) and part.delta is not None:
        errors.append(part.delta.error)
    if part.type == "error" or any(map(is_error, errors)):
        raise failure_of_report({"error": next(filter(is_error, errors), None)})


def _blocks_in(content: Any) -> list[dict[str, Any]]:
    """Returns the blocks of a whole message; some servers send a text, one block, or texts instead."""
    parts = content if isinstance(content, list) else [content]
    blocks = [{"type": TEXT, "text": part} if isinstance(part, str) else part for part in parts]
    return [block for block in blocks if isinstance(block, dict)]


class AnthropicResponseReader(ResponseReader):
    """Reads a stream of events or a complete message; an unknown stop reason counts as `stop`.

    New types of events, deltas and blocks yield no text. A refusal without text yields the provider's explanation.
    """

    def __init__(self, owner: ProviderModel | None = None) -> None:
        super().__init__(owner)
        self._blocks: list[PartialBlock] = []
        self._open: dict[_Index, PartialBlock] = {}
        self._counts: dict[str, int] = {}

    def read_event(self, data: bytes) -> str:
        if self.done or (data[:1] != b"{" and self._is_marker(data)):
            return ""
        try:
            event = _EVENT.decode(data)
        except DECODE_ERRORS:
            event = self.mended(_EVENT_WITH_ERRORS, data)
            _check_error(event)
        match event.type:
            case "content_block_delta" if event.delta is not None:
                return self._read_delta(event.index, event.delta)
            case "content_block_start" if event.content_block is not None:
                return self._read_block(event.index, event.content_block)
            case "message_start" if event.message is not None:
                _check_error(event.message)
                self._read_usage(event.message.usage)
            case "message_delta":
                self._read_usage(event.usage)
                return self._read_stop(event.delta) if event.delta else ""
            case "message_stop":
                self.complete = self.done = True
            case "message":
                return self.read_body(data)
        if event.type not in _EVENT_TYPES and has_error(fields := decode_object(data)):
            raise failure_of_report(fields)
        return ""

    def read_body(self, body: bytes) -> str:
        response = self.mended(_RESPONSE, body)
        _check_error(response)
        if not response.content and has_error(fields := decode_object(body)):
            raise failure_of_report(fields)
        self._read_usage(response.usage)
        text = "".join(self._read_block(index, block) for index, block in enumerate(_blocks_in(response.content)))
        self.complete = bool(self._blocks)
        return text + self._read_stop(response)

    def calls(self) -> list[PartialToolCall]:
        return [block.call for block in self._blocks if block.call is not None and block.type == TOOL_USE]

    def state(self) -> Any:
        """Returns the blocks of a message that is paused or has others than text and tool calls, in their order."""
        is_echoed = self.finish_reason == "paused" or needs_echo(self._blocks)
        return [block.echo() for block in self._blocks] if is_echoed else None

    def _is_marker(self, data: bytes) -> bool:
        """Returns whether the data is blank, or the end marker of another protocol that some servers send."""
        text = data.strip()
        if text == _DONE:
            self.complete = self.done = True
        return not text or self.done

    def _read_block(self, index: _Index, start: dict[str, Any]) -> str:
        block = PartialBlock(start)
        if len(self._blocks) < _MAX_BLOCKS:
            self._blocks.append(block)
            self._open[index] = block
        if block.type == TOOL_USE:
            self.began = True
        elif block.type == "error":
            raise failure_of_report(start)
        text = start.get("text")
        return self.received(text) if block.type == TEXT and isinstance(text, str) else ""

    def _read_delta(self, index: _Index, delta: Delta) -> str:
        block = self._open.get(index)
        text = delta.text
        if isinstance(text, str) and text:
            if block is not None:
                block.texts.append(text)
            return self.received(text)
        if delta.thinking:
            self.began = True
        if block is not None:
            block.add(delta)
        return ""

    def _read_stop(self, end: Delta | MessageResponse) -> str:
        reason = finish_reason_of(end.stop_reason)
        if reason is None:
            return ""
        self.complete = True
        is_paused = end.stop_reason in _PAUSES and self._blocks  # without blocks, there is nothing to send back
        self.finish_reason = "paused" if is_paused else reason
        details = end.stop_details
        explanation = details.get("explanation") if isinstance(details, dict) else None
        return self.received(explanation) if isinstance(explanation, str) and not self.has_text else ""

    def _read_usage(self, report: Any) -> None:
        """Updates the token usage; tokens read from or written to the prompt cache count as prompt tokens."""
        if not isinstance(report, dict):
            return
        for name in _COUNTS:
            count = count_in(report, name)
            if count is not None:
                self._counts[name] = count
        counts = self._counts
        prompt = sum(counts.get(name, 0) for name in _PROMPT_COUNTS)
        cached = counts.get("cache_read_input_tokens", 0)
        self.usage = Usage(prompt, counts.get("output_tokens", 0), cached).clamped
