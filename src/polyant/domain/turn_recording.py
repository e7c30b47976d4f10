"""Recorders of turns whose calls are traced or whose text is recorded."""

from collections.abc import Mapping
from typing import TypeVar

import msgspec

from polyant.domain.chat import (
    AssistantMessage,
    CallRecorder,
    ChatRequest,
    ModelRequest,
    StepFinished,
    SupervisorEvent,
    TextDelta,
    ToolCall,
    ToolFinished,
    ToolResult,
)
from polyant.domain.errors import ProviderError
from polyant.domain.instances import Instance
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.turn_observer import TurnObserver
from polyant.domain.recorded_content import StepContent, ToolContent
from polyant.domain.turn_content import ContentRecording, TurnContent, records_content
from polyant.domain.turn_observation import TurnObservation
from polyant.domain.turn_recorder import TurnRecorder
from polyant.domain.turn_records import ObservedTurn, TurnRecord

EventT = TypeVar("EventT", StepFinished, ToolFinished)


class TracedTurnRecorder(TurnRecorder, CallRecorder):
    """Also reports the calls that aren't events of the turn; without their text, unless a subclass records it."""

    _has_ended = False
    _content: TurnContent | None = None

    @property
    def records_text(self) -> bool:
        return self._content is not None

    def report(self, event: StepFinished | ToolFinished) -> None:
        if self._has_ended:  # a tool that ignores its cancellation can outlive the turn
            return
        if isinstance(event, StepFinished):
            self._observation.step_finished(self._turn, event, elapsed=self._elapsed())
        else:
            self._observation.tool_finished(self._turn, event, elapsed=self._elapsed())

    def step_content(self, request: ModelRequest, reply: AssistantMessage, finish_reason: str) -> StepContent | None:
        return None if self._content is None else self._content.of_step(request, reply, finish_reason)

    def tool_content(self, call: ToolCall, result: ToolResult) -> ToolContent | None:
        return None if self._content is None else self._content.of_tool(call, result)

    def finish(self, error: BaseException | None) -> TurnRecord:
        """Reports the end of the turn and returns its record; calls that end later aren't reported."""
        self._has_ended = True
        return super().finish(error)


class ContentTurnRecorder(TracedTurnRecorder):
    """Also records the text of the turn's calls, if its secrets can be removed.

    The `Toolbox` renders the text of its calls. For a Supervisor that doesn't use it, the text of a model call is the
    turn's own text: its messages, and the deltas of the call.

    Args:
        turn: The turn.
        observation: Notifies the observers.
        clock: Measures durations.
        started: The clock's `monotonic` seconds at the creation of the turn.
        instance: The instance, whose secrets are removed.
        request: The caller's request.
        recording: Decrypts the secrets.
    """

    def __init__(
        self,
        turn: ObservedTurn,
        observation: TurnObservation,
        clock: Clock,
        *,
        started: float,
        instance: Instance,
        request: ChatRequest,
        recording: ContentRecording,
    ) -> None:
        super().__init__(turn, observation, clock, started=started)
        self._instance = instance
        self._recording = recording
        self._instructions = request.caller_instructions
        self._messages = request.messages
        self._texts: list[str] = []
        self._call_started = started
        self._reported_failure = False

    needs_preparation = True

    async def prepare(self) -> None:
        """Decrypts the secrets that are removed from the text."""
        self._content = await self._recording.begin(self._instance, self._turn.context.trace)

    def take(self, event: SupervisorEvent) -> None:
        """Adds an event of the turn to its metrics, and adds its text."""
        match event:
            case TextDelta():
                self._texts.append(event.text)
            case StepFinished():
                event = self._with_text(event, finish_reason="stop")
            case ToolFinished():
                event = self._cleaned(event)
                self._call_started = self._clock.monotonic()
        super().take(event)

    def report(self, event: StepFinished | ToolFinished) -> None:
        if isinstance(event, ToolFinished):
            super().report(self._cleaned(event))
            return
        self._reported_failure |= event.error is not None and not event.sub_agent
        super().report(self._cleaned(event))

    def finish(self, error: BaseException | None) -> TurnRecord:
        """Reports the end of the turn, after a failed model call that the Supervisor didn't report."""
        if isinstance(error, ProviderError) and not self._reported_failure:
            milliseconds = (self._clock.monotonic() - self._call_started) * 1_000
            failed = StepFinished(
                usage=self.usage, steps=self._steps + 1, milliseconds=milliseconds, error=error.kind.value
            )
            self.report(self._with_text(failed, finish_reason="error"))
        return super().finish(error)

    def _with_text(self, event: StepFinished, *, finish_reason: str) -> StepFinished:
        """Returns the end of a model call with its text, which is the turn's own if the Supervisor gave none."""
        reply = AssistantMessage("".join(self._texts))
        content = event.content
        if content is None and self._content is not None:
            content = self._content.of_text(self._instructions, self._messages, reply, finish_reason)
        self._texts.clear()
        self._call_started = self._clock.monotonic()
        if reply.content:
            self._messages = (*self._messages, reply)
        return self._cleaned(msgspec.structs.replace(event, content=content))

    def _cleaned(self, event: EventT) -> EventT:
        """Returns the event with text only if it is recorded, and without secrets."""
        if event.content is None:
            return event
        content = None if self._content is None else self._content.cleaned(event.content)
        return msgspec.structs.replace(event, content=content)


class TurnRecording:
    """Creates the recorders of turns.

    Args:
        observers: The observers of turns. One with the attribute `traces` or `records_content` also receives failed
            model calls and the calls of sub-agents.
        content: Records the text of turns.
    """

    def __init__(self, *, observers: Mapping[str, TurnObserver], content: ContentRecording) -> None:
        self._content = content
        self._records_content = any(map(records_content, observers.values()))
        self.is_needed = self._records_content or any(getattr(each, "traces", False) for each in observers.values())
        """Whether an observer asks for more than the events of turns."""

    def recorder(
        self,
        turn: ObservedTurn,
        observation: TurnObservation,
        clock: Clock,
        *,
        started: float,
        instance: Instance,
        request: ChatRequest,
    ) -> TracedTurnRecorder:
        """Returns the recorder of a turn; the arguments are those of the recorders."""
        if not self._records_content:
            return TracedTurnRecorder(turn, observation, clock, started=started)
        return ContentTurnRecorder(
            turn,
            observation,
            clock,
            started=started,
            instance=instance,
            request=request,
            recording=self._content,
        )
