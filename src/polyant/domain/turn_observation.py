"""Delivery of turn events to observers, each through its own bounded queue."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from types import TracebackType
from typing import Self, TypeVar

import msgspec

from polyant.domain.chat import StepFinished, ToolFinished
from polyant.domain.error_places import place_of
from polyant.domain.ports.turn_observer import TurnObserver
from polyant.domain.turn_content import records_content
from polyant.domain.turn_records import ObservedTurn, TurnRecord

log = logging.getLogger("polyant.turn")

MAX_WAITING = 10_000
"""The maximum number of queued observations per observer."""

_CLOSE_SECONDS = 5.0
_DELIVERY_SECONDS = 0.1
"""How long the observations of a running turn may wait, so that the end of the turn delivers most of them."""
_LOG_INTERVAL_SECONDS = 60.0

Observation = Callable[[TurnObserver], Awaitable[None]]
EventT = TypeVar("EventT", StepFinished, ToolFinished)


class TurnObservation:
    """Publishes observations to any number of observers; publishing never waits and never fails.

    Observations of a running turn are delivered within a tenth of a second, and all of them when it ends.

    Use it as a context manager: it delivers observations while it is entered, and exiting delivers the queued ones.

    Args:
        observers: The observers, by their names in the log.
        max_waiting: The maximum number of queued observations per observer.
    """

    def __init__(self, observers: Mapping[str, TurnObserver], *, max_waiting: int = MAX_WAITING) -> None:
        self._queues = [_Queue(name, observer, max_waiting) for name, observer in observers.items()]
        self._of_starts = self._observing("turn_started")
        self._of_steps = self._observing("step_finished")
        self._of_tools = self._observing("tool_finished")
        self._of_ends = self._observing("turn_finished")
        self._delivery: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> Self:
        """Starts the delivery."""
        for queue in self._queues:
            queue.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Delivers the queued observations, for up to five seconds."""
        if self._delivery is not None:
            self._delivery.cancel()
            self._delivery = None
        await asyncio.gather(*(queue.close() for queue in self._queues))

    @property
    def dropped(self) -> Mapping[str, int]:
        """The number of observations dropped so far, by observer."""
        return {queue.name: queue.dropped for queue in self._queues}

    def turn_started(self, turn: ObservedTurn) -> None:
        """Publishes the start of a turn."""
        for queue in self._of_starts:
            queue.put(lambda observer: observer.turn_started(turn))
            self._deliver_soon()

    def step_finished(self, turn: ObservedTurn, step: StepFinished, *, elapsed: float) -> None:
        """Publishes the end of a model call, `elapsed` seconds after the turn started."""
        for queue in self._of_steps:
            queue.put(partial(_observe_step, turn, queue.shown(step), elapsed))
            self._deliver_soon()

    def tool_finished(self, turn: ObservedTurn, tool: ToolFinished, *, elapsed: float) -> None:
        """Publishes the end of a tool call, `elapsed` seconds after the turn started."""
        for queue in self._of_tools:
            queue.put(partial(_observe_tool, turn, queue.shown(tool), elapsed))
            self._deliver_soon()

    def turn_finished(self, turn: ObservedTurn, record: TurnRecord) -> None:
        """Publishes the end of a turn."""
        for queue in self._of_ends:
            queue.put(lambda observer: observer.turn_finished(turn, record))
            queue.wake()

    def _deliver_soon(self) -> None:
        if self._delivery is None:
            self._delivery = asyncio.get_running_loop().call_later(_DELIVERY_SECONDS, self._deliver)

    def _deliver(self) -> None:
        self._delivery = None
        for queue in self._queues:
            queue.wake()

    def _observing(self, method: str) -> "list[_Queue]":
        """Returns the queues of the observers that do something in that method."""
        return [queue for queue in self._queues if queue.calls(method)]


def _observe_step(turn: ObservedTurn, step: StepFinished, elapsed: float, observer: TurnObserver) -> Awaitable[None]:
    return observer.step_finished(turn, step, elapsed=elapsed)


def _observe_tool(turn: ObservedTurn, tool: ToolFinished, elapsed: float, observer: TurnObserver) -> Awaitable[None]:
    return observer.tool_finished(turn, tool, elapsed=elapsed)


class _Queue:
    """The queued observations of one observer, and the task that delivers them."""

    def __init__(self, name: str, observer: TurnObserver, max_waiting: int) -> None:
        self.name = name
        self.dropped = 0
        self._records_content = records_content(observer)
        self._observer = observer
        self._max_waiting = max_waiting
        self._waiting = deque[Observation]()
        self._arrival: asyncio.Future[None] | None = None
        self._closing = False
        self._task: asyncio.Task[None] | None = None
        self._log_again_at = {"turn observer is too slow": 0.0, "turn observer failed": 0.0}

    def start(self) -> None:
        self._task = asyncio.create_task(self._deliver())

    def calls(self, method: str) -> bool:
        """Returns whether the observer's method is called: it isn't marked with `unobserved`."""
        return not getattr(getattr(self._observer, method), "__unobserved__", False)

    def shown(self, event: EventT) -> EventT:
        """Returns the event as this observer may see it, with or without its content."""
        return event if event.content is None or self._records_content else msgspec.structs.replace(event, content=None)

    def put(self, observation: Observation) -> None:
        if len(self._waiting) >= self._max_waiting:
            self.dropped += 1
            self._warn("turn observer is too slow", dropped=self.dropped)
            return
        self._waiting.append(observation)
        if len(self._waiting) * 2 >= self._max_waiting:
            self.wake()

    async def close(self) -> None:
        self._closing = True
        self.wake()
        if self._task is None:
            return
        _, unfinished = await asyncio.wait([self._task], timeout=_CLOSE_SECONDS)
        if unfinished:
            lost = len(self._waiting) + 1  # plus the one being delivered
            log.warning("turn observations lost", extra={"fields": {"observer": self.name, "lost": lost}})
            self._task.cancel()
            await asyncio.wait([self._task], timeout=_CLOSE_SECONDS)

    async def _deliver(self) -> None:
        while True:
            while self._waiting:
                try:
                    await self._waiting.popleft()(self._observer)
                except Exception as error:  # noqa: BLE001 - an observer is third-party code
                    self._warn("turn observer failed", error=type(error).__name__, at=place_of(error))
            if self._closing:
                return
            self._arrival = asyncio.get_running_loop().create_future()
            await self._arrival

    def wake(self) -> None:
        """Delivers what is queued soon."""
        if (self._waiting or self._closing) and self._arrival is not None and not self._arrival.done():
            self._arrival.set_result(None)

    def _warn(self, message: str, **fields: object) -> None:
        """Logs each warning at most once a minute."""
        now = asyncio.get_running_loop().time()
        if now >= self._log_again_at[message]:
            self._log_again_at[message] = now + _LOG_INTERVAL_SECONDS
            log.warning(message, extra={"fields": {"observer": self.name, **fields}})
