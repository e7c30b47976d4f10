"""Reads a response of OpenAI's Chat Completions API, including the variants of compatible servers."""

import msgspec

from polyant.adapters.llm.failures import CallFailedError, decode, failure_of_error, raise_bad_response
from polyant.adapters.llm.openai_tool_calls import ToolCallAssembler
from polyant.adapters.llm.openai_wire import Choice, Completion, Delta, ErrorReport, UsageReport
from polyant.adapters.llm.response_reader import FinishReason, PartialToolCall, ResponseReader
from polyant.domain.chat import Usage

_COMPLETION = msgspec.json.Decoder(Completion)
_FINISH_REASONS: dict[str, FinishReason] = {
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "length": "length",
    "model_length": "length",
    "content_filter": "content_filter",
}
_ERROR_REASON = "error"
_EMPTY_DELTA = Delta()


class OpenAIResponseReader(ResponseReader):
    """Reads a stream of chunks or a complete response; an unknown finish reason counts as `stop`."""

    def __init__(self) -> None:
        super().__init__()
        self._calls = ToolCallAssembler()

    def read_event(self, data: bytes) -> str:
        if data == b"[DONE]":
            self.complete = self.done = True
        if self.done:
            return ""
        chunk = decode(_COMPLETION, data)
        self._read_metadata(chunk)
        if not chunk.choices:
            return ""
        return self._read_choice(chunk.choices[0])

    def read_body(self, body: bytes) -> str:
        completion = decode(_COMPLETION, body)
        self._read_metadata(completion)
        if not completion.choices:
            raise_bad_response()
        self.complete = True
        return self._read_choice(completion.choices[0])

    def calls(self) -> list[PartialToolCall]:
        return self._calls.calls

    def _read_metadata(self, completion: Completion) -> None:
        if completion.error is not None or completion.object == "error":
            raise _failure(completion)
        if completion.usage is not None:
            self.usage = _usage(completion.usage)

    def _read_choice(self, choice: Choice) -> str:
        if choice.finish_reason:
            if choice.finish_reason == _ERROR_REASON:
                raise_bad_response()
            self.complete = True
            self.finish_reason = _FINISH_REASONS.get(choice.finish_reason, "stop")
        delta = choice.delta or choice.message or _EMPTY_DELTA
        if delta.tool_calls:
            self.began = True
            for call in delta.tool_calls:
                self._calls.add(call)
        text = delta.content or ""
        if isinstance(text, list):
            text = "".join(part.text or "" for part in text)
        if text or delta.reasoning_content or delta.reasoning:
            self.began = True
        return text


def _usage(report: UsageReport) -> Usage:
    return Usage(report.prompt_tokens or 0, report.completion_tokens or 0).clamped


def _failure(completion: Completion) -> CallFailedError:
    error = completion.error
    if isinstance(error, ErrorReport):
        return failure_of_error(error.code, error.type, error.status)
    return failure_of_error(completion.code, completion.type)
