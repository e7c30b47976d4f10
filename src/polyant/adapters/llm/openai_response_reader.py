"""Reads a response of OpenAI's Chat Completions API, including the variants of compatible servers."""

from typing import Any

import msgspec

from polyant.adapters.llm.error_reports import failure_of_report, has_error, has_nested_error, is_error
from polyant.adapters.llm.failures import DECODE_ERRORS, decode_object, raise_bad_response
from polyant.adapters.llm.finish_reasons import finish_reason_of
from polyant.adapters.llm.openai_content import (
    add_parts,
    add_rare_state,
    add_state,
    is_reasoning,
    reasoning_parts,
    text_in,
    whole,
)
from polyant.adapters.llm.openai_tool_calls import ToolCallAssembler
from polyant.adapters.llm.openai_wire import Choice, Completion, Delta
from polyant.adapters.llm.response_reader import PartialToolCall, ProviderModel, ResponseReader
from polyant.adapters.llm.token_usage import cached_in, count_in, prompt_in
from polyant.domain.chat import Usage

_COMPLETION = msgspec.json.Decoder(Completion)
_DONE = frozenset({b"[done]", b'"[done]"', b"done"})
_PADDING = b" \t\r\n\0"
_EMPTY_DELTA = Delta()
_FUNCTION_CALL = "function_call"
_ERROR_NAME = b"rror"


class OpenAIResponseReader(ResponseReader):
    """Reads a stream of chunks or a complete response; an unknown finish reason counts as `stop`."""

    def __init__(self, owner: ProviderModel | None = None) -> None:
        super().__init__(owner)
        self._calls = ToolCallAssembler()
        self._function_call = ToolCallAssembler()
        self._state: dict[str, Any] = {}

    def read_event(self, data: bytes) -> str:
        if self.done or (data[:1] != b"{" and self._is_marker(data)):
            return ""
        try:
            chunk = _COMPLETION.decode(data)
        except DECODE_ERRORS:
            chunk = self.mended(_COMPLETION, data)
        choices = chunk.choices
        if not choices or chunk.error or chunk.object == "error" or chunk.usage or chunk.x_groq:
            self._read_metadata(chunk, data)
        return (self._read_choice(choices[0]) or self._read_rare(data)) if choices else ""

    def read_body(self, body: bytes) -> str:
        completion = self.mended(_COMPLETION, body)
        self._read_metadata(completion, body)
        if not completion.choices:
            raise_bad_response()
        self.complete = True
        text = self._read_choice(completion.choices[0])
        if not text and not self.calls():
            self._check_rest(body)
        add_rare_state(self._state, body)
        return text

    def calls(self) -> list[PartialToolCall]:
        calls = self._calls.calls or self._function_call.calls
        for call in calls:
            if call.state:
                call.state = whole(call.state)
        return calls

    def state(self) -> Any:
        return whole(self._state)

    def _is_marker(self, data: bytes) -> bool:
        """Returns whether the data is the end marker or blank, and notes the end."""
        text = data.strip(_PADDING)
        if text.lower() in _DONE:
            self.complete = self.done = True
        return not text or self.done

    def _read_metadata(self, completion: Completion, data: bytes) -> None:
        if completion.object == "error" or is_error(completion.error):
            raise failure_of_report(decode_object(data))
        if completion.usage:
            self._read_usage(completion.usage)
        elif not completion.choices and has_error(fields := decode_object(data)):
            raise failure_of_report(fields)
        if completion.x_groq:
            self._read_extension(completion.x_groq)

    def _read_extension(self, extension: Any) -> None:
        if isinstance(extension, dict):
            if is_error(extension.get("error")):
                raise failure_of_report(extension)
            self._read_usage(extension.get("usage"))

    def _read_choice(self, choice: Choice) -> str:
        delta = choice.delta
        if delta is None:
            # A stream may end with the complete message, whose text has been received already.
            is_repeated = self.has_text or bool(self._calls.calls)
            delta = _EMPTY_DELTA if is_repeated else choice.message or Delta(content=choice.text)
        if choice.finish_reason or choice.error or choice.usage or delta.error or delta.usage:
            self._read_outcome(choice, delta)
        text = delta.content
        if text.__class__ is not str:
            text = self._read_content(text)
        if delta.tool_calls or delta.function_call:
            self._read_calls(delta)
        if delta.reasoning_content or delta.reasoning or delta.reasoning_details or delta.extra_content:
            self.began = True
            if is_reasoning(delta):
                return ""
            add_state(self._state, delta)
        elif delta.thinking_blocks:
            add_state(self._state, delta)
        if delta.refusal:
            text += text_in(delta.refusal)
        if not text or self.is_mended:
            return self.received(text)
        self.began = self.has_text = True  # as in `received`, without the cost of calling it for each delta
        return text

    def _read_rare(self, data: bytes) -> str:
        """Checks the rest of a chunk without text, and keeps opaque fields that few servers send; returns no text."""
        self._check_rest(data)
        add_rare_state(self._state, data)
        return ""

    def _check_rest(self, data: bytes) -> None:
        """Raises the failure for an error anywhere in a chunk or response without text."""
        if _ERROR_NAME in data and has_nested_error(fields := decode_object(data)):
            raise failure_of_report(fields)

    def _read_content(self, content: Any) -> str:
        """Returns the text of a `content` that isn't a string, and keeps the reasoning in it."""
        if content and (parts := reasoning_parts(content)):
            self.began = True
            add_parts(self._state, parts)
        return text_in(content)

    def _read_calls(self, delta: Delta) -> None:
        self.began = True
        if delta.tool_calls:
            self._calls.add_all(delta.tool_calls)
        else:
            self._function_call.add_all({"index": _FUNCTION_CALL, "function": delta.function_call})

    def _read_outcome(self, choice: Choice, delta: Delta) -> None:
        for error in (choice.error, delta.error):
            if is_error(error):
                raise failure_of_report({"error": error})
        if usage := choice.usage or delta.usage:
            self._read_usage(usage)
        reason = finish_reason_of(choice.finish_reason)
        if reason is not None:
            self.complete, self.finish_reason = True, reason

    def _read_usage(self, report: Any) -> None:
        """Updates the usage; servers that send several reports count the tokens so far, or some in each."""
        if not isinstance(report, dict) or not report:
            return
        prompt, completion = (
            prompt_in(report),
            count_in(report, "completion_tokens", "output_tokens", "completionTokens"),
        )
        known, cached = self.usage, cached_in(report)
        prompt = known.prompt_tokens if prompt is None else prompt
        completion = known.completion_tokens if completion is None else completion
        self.usage = Usage(prompt, completion, min(known.cached_tokens if cached is None else cached, prompt))
