"""An answer in OpenAI's form, with what the servers compatible with it do differently."""

import msgspec

from polyant.adapters.llm.answer import Answer, FinishReason, PartialCall
from polyant.adapters.llm.failures import CallFailedError, decode, failure_of_error, refuse
from polyant.adapters.llm.openai_tool_calls import ToolCallPieces
from polyant.adapters.llm.openai_wire import Choice, Completion, ErrorReport, Piece, UsageReport
from polyant.domain.chat import Usage

_COMPLETION = msgspec.json.Decoder(Completion)
_FINISH_REASONS: dict[str, FinishReason] = {
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "length": "length",
    "model_length": "length",
    "content_filter": "content_filter",
}
_BROKEN_OFF = "error"
_NO_PIECE = Piece()


class OpenAIAnswer(Answer):
    """Reads chunks or a whole completion; an unknown finish reason is a plain stop."""

    def __init__(self) -> None:
        super().__init__()
        self._calls = ToolCallPieces()

    def read_event(self, data: bytes) -> str:
        if data == b"[DONE]":
            self.complete = self.done = True
        if self.done:
            return ""
        chunk = decode(_COMPLETION, data)
        self._read_around(chunk)
        if not chunk.choices:
            return ""
        return self._read_choice(chunk.choices[0])

    def read_whole(self, body: bytes) -> str:
        completion = decode(_COMPLETION, body)
        self._read_around(completion)
        if not completion.choices:
            refuse()
        self.complete = True
        return self._read_choice(completion.choices[0])

    def calls(self) -> list[PartialCall]:
        return self._calls.calls

    def _read_around(self, completion: Completion) -> None:
        if completion.error is not None or completion.object == "error":
            raise _failure_of(completion)
        if completion.usage is not None:
            self.usage = _usage(completion.usage)

    def _read_choice(self, choice: Choice) -> str:
        if choice.finish_reason:
            if choice.finish_reason == _BROKEN_OFF:
                refuse()
            self.complete = True
            self.finish_reason = _FINISH_REASONS.get(choice.finish_reason, "stop")
        piece = choice.delta or choice.message or _NO_PIECE
        if piece.tool_calls:
            self.began = True
            for call in piece.tool_calls:
                self._calls.add(call)
        text = piece.content or ""
        if isinstance(text, list):
            text = "".join(part.text or "" for part in text)
        if text or piece.reasoning_content or piece.reasoning:
            self.began = True
        return text


def _usage(report: UsageReport) -> Usage:
    return Usage(report.prompt_tokens or 0, report.completion_tokens or 0)


def _failure_of(completion: Completion) -> CallFailedError:
    error = completion.error
    if isinstance(error, ErrorReport):
        return failure_of_error(error.code, error.type, error.status)
    return failure_of_error(completion.code, completion.type)
