"""Port: observers of turns."""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, Protocol, TypeVar, runtime_checkable

from polyant.domain.chat import StepFinished, ToolFinished
from polyant.domain.turn_records import ObservedTurn, TurnRecord

MethodT = TypeVar("MethodT", bound=Callable[..., Any])


def unobserved(method: MethodT) -> MethodT:
    """Marks a method of an observer that does nothing: it isn't called, which makes each turn cheaper."""
    method.__unobserved__ = True  # type: ignore[attr-defined]
    return method


@runtime_checkable
class TurnObserver(Protocol):
    """Receives the events of every turn, outside the turn's own task.

    Calls to one observer are sequential and in the order of the events. A slow observer delays only its own later
    calls; observations that exceed its queue are dropped, counted and logged. An exception is logged and loses only
    that observation. When the server stops, queued observations are delivered for up to five seconds.

    The events contain no text of the turn, unless the observer has the attribute `records_content` with the value True.
    Then `content` has the text of each model call and tool call, shortened and without the instance's secrets.

    If an observer has the attribute `traces` or `records_content` with the value True, the observers also receive
    failed model calls, and the calls of sub-agents.
    """

    @abstractmethod
    async def turn_started(self, turn: ObservedTurn) -> None:
        """Observes the start of an admitted turn."""

    @abstractmethod
    async def step_finished(self, turn: ObservedTurn, step: StepFinished, *, elapsed: float) -> None:
        """Observes the end of one model call, `elapsed` seconds after the turn started."""

    @abstractmethod
    async def tool_finished(self, turn: ObservedTurn, tool: ToolFinished, *, elapsed: float) -> None:
        """Observes the end of one tool call, `elapsed` seconds after the turn started."""

    @abstractmethod
    async def turn_finished(self, turn: ObservedTurn, record: TurnRecord) -> None:
        """Observes the end of a turn, whatever its outcome; the last call for that turn."""
