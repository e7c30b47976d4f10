"""Delivery of turn events to observers, each through its own bounded queue."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import Self

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
_LOG_INTERVAL_SECONDS = 60.0

Observation = Callable[[TurnObserver], Awaitable[None]]


class TurnObservation:
    """Publishes observations to any number of observers; publishing never waits and never fails.

    Use it as a context manager: it delivers observations while it is entered, and exiting delivers the queued ones.

    Args:
        observers: The observers, by their names in the log.
        max_waiting: The maximum number of queued observations per observer.
    """

    def __init__(self, observers: Mapping[str, TurnObserver], *, max_waiting: int = MAX_WAITING) -> None:
        self._queues = [_Queue(name, observer, max_waiting) for name, observer in observers.items()]

    async def __aenter__(self) -> Self:
        """Starts the delivery."""
        for queue in self._queues:
            queue.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Delivers the queued observations, for up to five seconds."""
        await asyncio.gather(*(queue.close() for queue in self._queues))

    @property
    def dropped(self) -> Mapping[str, int]:
        """The number of observations dropped so far, by observer."""
        return {queue.name: queue.dropped for queue in self._queues}

    def turn_started(self, turn: ObservedTurn) -> None:
        """Publishes the start of a turn."""
        self._publish(lambda observer: observer.turn_started(turn))

    def step_finished(self, turn: ObservedTurn, step: StepFinished, *, elapsed: float) -> None:
        """Publishes the end of a model call, `elapsed` seconds after the turn started."""
        bare = step if step.content is None else msgspec.structs.replace(step, content=None)
        self._publish(
            lambda observer: observer.step_finished(turn, bare, elapsed=elapsed),
            with_content=lambda observer: observer.step_finished(turn, step, elapsed=elapsed),
        )

    def tool_finished(self, turn: ObservedTurn, tool: ToolFinished, *, elapsed: float) -> None:
        """Publishes the end of a tool call, `elapsed` seconds after the turn started."""
        bare = tool if tool.content is None else msgspec.structs.replace(tool, content=None)
        self._publish(
            lambda observer: observer.tool_finished(turn, bare, elapsed=elapsed),
            with_content=lambda observer: observer.tool_finished(turn, tool, elapsed=elapsed),
        )

    def turn_finished(self, turn: ObservedTurn, record: TurnRecord) -> None:
        """Publishes the end of a turn."""
        self._publish(lambda observer: observer.turn_finished(turn, record))

    def _publish(self, observation: Observation, *, with_content: Observation | None = None) -> None:
        for queue in self._queues:
            queue.put(with_content if with_content is not None and queue.records_content else observation)


class _Queue:
    """The queued observations of one observer, and the task that delivers them."""

    def __init__(self, name: str, observer: TurnObserver, max_waiting: int) -> None:
        self.name = name
        self.dropped = 0
        self.records_content = records_content(observer)
        self._observer = observer
        self._max_waiting = max_waiting
        self._waiting = deque[Observation]()
        self._arrival: asyncio.Future[None] | None = None
        self._closing = False
        self._task: asyncio.Task[None] | None = None
        self._log_again_at = {"turn observer is too slow": 0.0, "turn observer failed": 0.0}

    def start(self) -> None:
        self._task = asyncio.create_task(self._deliver())

    def put(self, observation: Observation) -> None:
        if len(self._waiting) >= self._max_waiting:
            self.dropped += 1
            self._warn("turn observer is too slow", dropped=self.dropped)
            return
        self._waiting.append(observation)
        self._wake()

    async def close(self) -> None:
        self._closing = True
        self._wake()
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

    def _wake(self) -> None:
        if self._arrival is not None and not self._arrival.done():
            self._arrival.set_result(None)

    def _warn(self, message: str, **fields: object) -> None:
        """Logs each warning at most once a minute."""
        now = time.monotonic()
        if now >= self._log_again_at[message]:
            self._log_again_at[message] = now + _LOG_INTERVAL_SECONDS
            log.warning(message, extra={"fields": {"observer": self.name, **fields}})
