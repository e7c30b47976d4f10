"""One model call of a turn: its request, its events and its reply."""

from collections.abc import AsyncGenerator

from polyant.domain.agent_loop.budget import RemainingBudget
from polyant.domain.agent_loop.reply import Reply
from polyant.domain.chat import AssistantMessage, ModelEvent, ModelRequest, StepFinished, ToolCall
from polyant.domain.ports.chat_model import ChatModel
from polyant.domain.ports.clock import Clock
from polyant.domain.turn_content import TurnContent


class ModelStep:
    """Calls the model once: iterate over `events()`, pass each event to `add`, and call `finish`.

    Args:
        model: The model to call.
        request: The request with the tools that the model may call.
        last: Whether this is the last step, whose tool calls aren't run.
        budget: Counts the tokens.
        clock: Measures the duration.
        content: Renders the text of the call, if it is recorded.
    """

    def __init__(
        self,
        model: ChatModel,
        request: ModelRequest,
        *,
        last: bool,
        budget: RemainingBudget,
        clock: Clock,
        content: TurnContent | None = None,
    ) -> None:
        self.request = request
        self._last = last
        self._model = model
        self._budget = budget
        self._clock = clock
        self._content = content
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
        milliseconds = (self._clock.monotonic() - self._started) * 1_000
        content = (
            None
            if self._content is None
            else self._content.of_step(self.request, self.message, self._reply.finish_reason)
        )
        return StepFinished(usage=budget.usage, steps=budget.steps, milliseconds=milliseconds, content=content)

    @property
    def message(self) -> AssistantMessage:
        """The reply as a message of the conversation, with the calls that are to be run."""
        return self._reply.message(self.calls)
