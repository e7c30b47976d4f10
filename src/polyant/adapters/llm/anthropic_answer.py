"""An answer in Anthropic's form."""

import msgspec

from polyant.adapters.llm.answer import Answer, FinishReason, PartialCall
from polyant.adapters.llm.anthropic_wire import Answered, ContentBlock, Delta, ErrorReport, Event, UsageReport
from polyant.adapters.llm.failures import CallFailedError, decode, failure_of_error
from polyant.domain.chat import Usage

_EVENT = msgspec.json.Decoder(Event)
_ANSWERED = msgspec.json.Decoder(Answered)
_FINISH_REASONS: dict[str, FinishReason] = {
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "content_filter",
}


class AnthropicAnswer(Answer):
    """Reads the events of a stream or a whole message; an unknown stop reason is a plain stop."""

    def __init__(self) -> None:
        super().__init__()
        self._calls: dict[int, PartialCall] = {}
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
                raise _failure_of(event.error)
        return ""

    def read_whole(self, body: bytes) -> str:
        answered = decode(_ANSWERED, body)
        if answered.error is not None:
            raise _failure_of(answered.error)
        self._read_usage(answered.usage)
        self._read_stop(answered.stop_reason)
        return "".join(self._read_block(index, block) for index, block in enumerate(answered.content))

    def calls(self) -> list[PartialCall]:
        return list(self._calls.values())

    def _read_block(self, index: int, block: ContentBlock) -> str:
        if block.type == "tool_use":
            self.began = True
            self._calls[index] = PartialCall(block.id or "", block.name or "", bytes(block.input).decode())
        return self._said(block.text) if block.type == "text" else ""

    def _read_delta(self, index: int, delta: Delta) -> str:
        if delta.partial_json and index in self._calls:
            self._calls[index].pieces.append(delta.partial_json)
        if delta.thinking:
            self.began = True
        return self._said(delta.text)

    def _said(self, text: str | None) -> str:
        if text:
            self.began = True
        return text or ""

    def _read_stop(self, stop_reason: str | None) -> None:
        if stop_reason is not None:
            self.complete = True
            self.finish_reason = _FINISH_REASONS.get(stop_reason, "stop")

    def _read_usage(self, report: UsageReport | None) -> None:
        """Takes the counts given; what was read from or written to the vendor's cache was part of the prompt too."""
        if report is None:
            return
        given = {field: count for field, count in msgspec.structs.asdict(report).items() if count is not None}
        self._report = known = msgspec.structs.replace(self._report, **given)
        prompt = (known.input_tokens, known.cache_creation_input_tokens, known.cache_read_input_tokens)
        self.usage = Usage(sum(count or 0 for count in prompt), known.output_tokens or 0)


def _failure_of(error: ErrorReport | None) -> CallFailedError:
    return failure_of_error(error.type if error else None)
