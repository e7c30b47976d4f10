"""Runs the tool calls of one step side by side."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence

from polyant.adapters.tool_loop.budget import RemainingBudget
from polyant.adapters.tool_loop.toolbox import Delegate, Toolbox, failed
from polyant.domain.chat import ToolCall, ToolFinished, ToolResult, ToolStarted
from polyant.domain.errors import TurnTimeoutError
from polyant.domain.ports.clock import Clock

log = logging.getLogger("polyant.turn")

_SECONDS_TO_END = 0.4
"""How long a cancelled tool may take to end; after that nobody waits for it any more."""

DelegateFor = Callable[["ToolRun"], Delegate]


class ToolRun:
    """One call, and the time it has."""

    def __init__(self, call: ToolCall, *, started: float, deadline: float) -> None:
        self.call = call
        self.started = started
        self.deadline = deadline
        self.result: ToolResult | None = None


class ToolRuns:
    """The calls of one step; `events` runs them, `results` has what they gave, in the order of the calls."""

    def __init__(self, calls: Sequence[ToolCall], *, toolbox: Toolbox, budget: RemainingBudget, clock: Clock) -> None:
        self._toolbox = toolbox
        self._budget = budget
        self._clock = clock
        now = clock.monotonic()
        deadline = min(now + budget.tool_seconds, budget.deadline)
        self._runs = [ToolRun(call, started=now, deadline=deadline) for call in calls]
        self._tasks: dict[asyncio.Task[ToolResult], ToolRun] = {}

    @property
    def results(self) -> tuple[ToolResult, ...]:
        """What each call gave, once `events` is over."""
        return tuple(run.result for run in self._runs if run.result is not None)

    async def events(self, delegate_for: DelegateFor) -> AsyncGenerator[ToolStarted | ToolFinished, None]:
        """Yields when each call starts and finishes; nothing runs any more once it is over or was left.

        Raises:
            TurnTimeoutError: The turn's time is over.
        """
        try:
            for run in self._runs:
                yield ToolStarted(call_id=run.call.id, name=run.call.name)
                if self._budget.tool_calls_left > 0:
                    self._budget.tool_calls += 1
                    self._tasks[self._start(run, delegate_for(run))] = run
                else:
                    yield self._finish(run, failed(run.call, "The turn's tool calls are used up: answer without it."))
            while unfinished := [task for task, run in self._tasks.items() if run.result is None]:
                for task in await self._wait(unfinished):
                    yield self._finish(self._tasks[task], self._result_of(task))
        finally:
            await self._end()

    def _start(self, run: ToolRun, delegate: Delegate) -> asyncio.Task[ToolResult]:
        return asyncio.create_task(self._toolbox.run(run.call, deadline=run.deadline, delegate=delegate))

    async def _wait(self, tasks: Sequence[asyncio.Task[ToolResult]]) -> Iterable[asyncio.Task[ToolResult]]:
        """Returns the tasks that are done or, if none is, those whose time is over."""
        while True:
            now = self._clock.monotonic()
            if now >= self._budget.deadline:
                raise TurnTimeoutError
            soonest = min(self._tasks[task].deadline for task in tasks)
            done, _ = await asyncio.wait(tasks, timeout=max(0.0, soonest - now), return_when=asyncio.FIRST_COMPLETED)
            late = [task for task in tasks if self._clock.monotonic() >= self._tasks[task].deadline]
            if done or late:
                return done or late

    def _result_of(self, task: asyncio.Task[ToolResult]) -> ToolResult:
        if task.done():
            return task.result()
        task.cancel()
        call = self._tasks[task].call
        return failed(call, f"The tool {call.name} did not finish in {self._budget.tool_seconds:g} seconds.")

    def _finish(self, run: ToolRun, result: ToolResult) -> ToolFinished:
        run.result = result
        milliseconds = (self._clock.monotonic() - run.started) * 1_000
        return ToolFinished(call_id=run.call.id, name=run.call.name, milliseconds=milliseconds, ok=not result.is_error)

    async def _end(self) -> None:
        """Cancels what still runs and waits until it is over, or for long enough."""
        running = [task for task in self._tasks if not task.done()]
        for task in running:
            task.cancel()
            task.add_done_callback(_forget)
        if running:
            _, stubborn = await asyncio.wait(running, timeout=_SECONDS_TO_END)
            for task in stubborn:
                log.warning("tool does not end", extra={"fields": {"tool": self._tasks[task].call.name}})


def _forget(task: asyncio.Task[ToolResult]) -> None:
    """Takes note of how an abandoned task ended, so that nobody warns of it."""
    if not task.cancelled():
        task.exception()
