"""Reads a response of Anthropic's Messages API."""

import msgspec

from polyant.adapters.llm.anthropic_wire import ContentBlock, Delta, ErrorReport, Event, MessageResponse, UsageReport
from polyant.adapters.llm.failures import CallFailedError, decode, failure_of_error
from polyant.adapters.llm.response_reader import FinishReason, PartialToolCall, ResponseReader
from polyant.domain.chat import Usage

_EVENT = msgspec.json.Decoder(Event)
_RESPONSE = msgspec.json.Decoder(MessageResponse)
_FINISH_REASONS: dict[str, FinishReason] = {
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "content_filter",
}


class AnthropicResponseReader(ResponseReader):
    """Reads a stream of events or a complete message; an unknown stop reason counts as `stop`."""

    def __init__(self) -> None:
        super().__init__()
        self._calls: dict[int, PartialToolCall] = {}
        self._report = UsageReport()

    def read_event(self, data: bytes) -> str:
        if self.done:
            return ""
        event = decode(_EVENT, data)
        match event.type:
            case "content_block_delta" if event.delta is not None:
                return self._read_delta(event.index, event.delta)
            case "content_block_start" if event.content_block is not None:
                return self._read_block(event.index, event.content_block)
            case "message_start" if event.message is not None:
                self._read_usage(event.message.usage)
            case "message_delta":
                self._read_usage(event.usage)
                self._read_stop(event.delta.stop_reason if event.delta else None)
            case "message_stop":
                self.complete = self.done = True
            case "error":
                raise _failure(event.error)
        return ""

    def read_body(self, body: bytes) -> str:
        response = decode(_RESPONSE, body)
        if response.error is not None:
            raise _failure(response.error)
        self._read_usage(response.usage)
        self._read_stop(response.stop_reason)
        return "".join(self._read_block(index, block) for index, block in enumerate(response.content))

    def calls(self) -> list[PartialToolCall]:
        return list(self._calls.values())

    def _read_block(self, index: int, block: ContentBlock) -> str:
        if block.type == "tool_use":
            self.began = True
            self._calls[index] = PartialToolCall(block.id or "", block.name or "", bytes(block.input).decode())
        return self._received_text(block.text) if block.type == "text" else ""

    def _read_delta(self, index: int, delta: Delta) -> str:
        if delta.partial_json and index in self._calls:
            self._calls[index].deltas.append(delta.partial_json)
        if delta.thinking:
            self.began = True
        return self._received_text(delta.text)

    def _received_text(self, text: str | None) -> str:
        if text:
            self.began = True
        return text or ""

    def _read_stop(self, stop_reason: str | None) -> None:
        if stop_reason is not None:
            self.complete = True
            self.finish_reason = _FINISH_REASONS.get(stop_reason, "stop")

    def _read_usage(self, report: UsageReport | None) -> None:
        """Updates the token usage; tokens read from or written to the prompt cache count as prompt tokens."""
        if report is None:
            return
        given = {field: count for field, count in msgspec.structs.asdict(report).items() if count is not None}
        self._report = known = msgspec.structs.replace(self._report, **given)
        prompt = (known.input_tokens, known.cache_creation_input_tokens, known.cache_read_input_tokens)
        self.usage = Usage(sum(count or 0 for count in prompt), known.output_tokens or 0).clamped


def _failure(error: ErrorReport | None) -> CallFailedError:
    return failure_of_error(error.type if error else None)
