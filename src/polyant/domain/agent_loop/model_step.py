"""One model call of a turn: its request, its events and its reply."""

import asyncio
from collections.abc import AsyncGenerator

from polyant.domain.agent_loop.budget import RemainingBudget
from polyant.domain.agent_loop.reply import Reply
from polyant.domain.chat import AssistantMessage, CallRecorder, ModelEvent, ModelRequest, StepFinished, ToolCall
from polyant.domain.errors import ProviderError
from polyant.domain.ports.chat_model import ChatModel
from polyant.domain.ports.clock import Clock


class ModelStep:
    """Calls the model once: iterate over `events()`, pass each event to `add`, and call `finish`.

    Args:
        model: The model to call.
        request: The request with the tools that the model may call.
        last: Whether this is the last step, whose tool calls aren't run.
        budget: Counts the tokens.
        clock: Measures the duration.
        recorder: Reports a failure, and renders the text of the call; None if no observer asks for it.
    """

    def __init__(
        self,
        model: ChatModel,
        request: ModelRequest,
        *,
        last: bool,
        budget: RemainingBudget,
        clock: Clock,
        recorder: CallRecorder | None = None,
    ) -> None:
        self.request = request
        self._last = last
        self._model = model
        self._budget = budget
        self._clock = clock
        self._recorder = recorder
        self._reply = Reply()
        self._started = clock.monotonic()
        self.calls: tuple[ToolCall, ...] = ()
        """The tool calls of the reply, set by `finish`; empty in the last step."""
        self.is_final = False
        """Whether no other model call has to follow, set by `finish`: there are no tool calls, and no pause."""

    def events(self) -> AsyncGenerator[ModelEvent, None]:
        """Returns the model's events; close the generator, which closes the connection."""
        return self._model.generate(self.request)

    def add(self, event: ModelEvent) -> None:
        """Adds the next event to the reply."""
        self._reply.add(event)

    def finish(self) -> StepFinished:
        """Counts the tokens of the reply and returns the event that ends the step."""
        budget = self._budget
        budget.usage += self._reply.usage
        self.calls = () if self._last else self._reply.tool_calls(self.request.messages)
        self.is_final = self._last or not (self.calls or self._reply.finish_reason == "paused")
        if self._recorder is None or not self._recorder.records_text:
            milliseconds = (self._clock.monotonic() - self._started) * 1_000
            return StepFinished(usage=budget.usage, steps=budget.steps, milliseconds=milliseconds)
        return self._finished(self._recorder, self.message, self._reply.finish_reason)

    def report_failure(self, error: BaseException) -> None:
        """Reports a call that didn't succeed to the observers, with the part of the reply that arrived."""
        if self._recorder is not None:
            reply = self._reply.message(self._reply.tool_calls(self.request.messages))
            self._recorder.report(self._finished(self._recorder, reply, "error", error=_kind_of(error)))

    def _finished(
        self, recorder: CallRecorder, reply: AssistantMessage, finish_reason: str, *, error: str | None = None
    ) -> StepFinished:
        return StepFinished(
            usage=self._budget.usage,
            steps=self._budget.steps,
            milliseconds=(self._clock.monotonic() - self._started) * 1_000,
            content=recorder.step_content(self.request, reply, finish_reason),
            error=error,
        )

    @property
    def is_paused(self) -> bool:
        """Whether the provider has interrupted the response, and another call continues it; known after `finish`."""
        return not self.is_final and not self.calls

    @property
    def message(self) -> AssistantMessage:
        """The reply as a message of the conversation, with the calls that are to be run."""
        return self._reply.message(self.calls)


def _kind_of(error: BaseException) -> str:
    """Returns the kind of failure, without any text of the error."""
    match error:
        case ProviderError():
            return error.kind.value
        case asyncio.CancelledError() | GeneratorExit():
            return "cancelled"
        case _:
            return type(error).__name__
