"""Runs the tool calls of one step in parallel."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence

from polyant.domain.agent_loop.budget import RemainingBudget
from polyant.domain.agent_loop.guarded_tools import Delegate, GuardedTools, failed
from polyant.domain.chat import CallRecorder, ToolCall, ToolFinished, ToolResult, ToolStarted
from polyant.domain.errors import TurnTimeoutError
from polyant.domain.ports.clock import Clock

log = logging.getLogger("polyant.turn")

_CANCEL_SECONDS = 0.4
"""How long a cancelled tool may take to stop; then it is abandoned."""

DelegateFor = Callable[["ToolExecution"], Delegate]


class ToolExecution:
    """One tool call and its deadline, in seconds of the monotonic clock."""

    def __init__(self, call: ToolCall, *, started: float, deadline: float) -> None:
        self.call = call
        self.started = started
        self.deadline = deadline
        self.result: ToolResult | None = None


class ParallelToolExecution:
    """The tool calls of one step: `events` runs them, `results` has their results in the order of the calls."""

    def __init__(
        self,
        calls: Sequence[ToolCall],
        *,
        tools: GuardedTools,
        budget: RemainingBudget,
        clock: Clock,
        recorder: CallRecorder | None = None,
    ) -> None:
        self._tools = tools
        self._budget = budget
        self._clock = clock
        self._recorder = recorder
        now = clock.monotonic()
        deadline = min(now + budget.tool_seconds, budget.deadline)
        self._executions = [ToolExecution(call, started=now, deadline=deadline) for call in calls]
        self._tasks: dict[asyncio.Task[ToolResult], ToolExecution] = {}

    @property
    def results(self) -> tuple[ToolResult, ...]:
        """The result of each call, available when `events` is exhausted."""
        return tuple(execution.result for execution in self._executions if execution.result is not None)

    async def events(self, delegate_for: DelegateFor) -> AsyncGenerator[ToolStarted | ToolFinished, None]:
        """Yields an event when each call starts and when it finishes; closing the generator cancels running calls.

        Raises:
            TurnTimeoutError: The turn's deadline has passed.
        """
        try:
            for execution in self._executions:
                yield ToolStarted(call_id=execution.call.id, name=execution.call.name)
                if self._budget.tool_calls_left > 0:
                    self._budget.tool_calls += 1
                    self._tasks[self._start(execution, delegate_for(execution))] = execution
                else:
                    yield self._finish(
                        execution, failed(execution.call, "The turn's tool calls are used up: answer without it.")
                    )
            while unfinished := [task for task, execution in self._tasks.items() if execution.result is None]:
                for task in await self._wait(unfinished):
                    yield self._finish(self._tasks[task], self._result_of(task))
        finally:
            await self._cancel_running()

    def _start(self, execution: ToolExecution, delegate: Delegate) -> asyncio.Task[ToolResult]:
        return asyncio.create_task(self._tools.run(execution.call, deadline=execution.deadline, delegate=delegate))

    async def _wait(self, tasks: Sequence[asyncio.Task[ToolResult]]) -> Iterable[asyncio.Task[ToolResult]]:
        """Returns the finished tasks or, if there are none, the timed-out tasks."""
        while True:
            now = self._clock.monotonic()
            if now >= self._budget.deadline:
                raise TurnTimeoutError
            earliest = min(self._tasks[task].deadline for task in tasks)
            done, _ = await asyncio.wait(tasks, timeout=max(0.0, earliest - now), return_when=asyncio.FIRST_COMPLETED)
            timed_out = [task for task in tasks if self._clock.monotonic() >= self._tasks[task].deadline]
            if done or timed_out:
                return done or timed_out

    def _result_of(self, task: asyncio.Task[ToolResult]) -> ToolResult:
        if task.done():
            return task.result()
        task.cancel()
        call = self._tasks[task].call
        return failed(call, f"The tool {call.name} did not finish in {self._budget.tool_seconds:g} seconds.")

    def _finish(self, execution: ToolExecution, result: ToolResult) -> ToolFinished:
        execution.result = result
        milliseconds = (self._clock.monotonic() - execution.started) * 1_000
        call = execution.call
        return ToolFinished(
            call_id=call.id,
            name=call.name,
            milliseconds=milliseconds,
            ok=not result.is_error,
            content=None if self._recorder is None else self._recorder.tool_content(call, result),
            offered=self._tools.offers(call.name),
        )

    async def _cancel_running(self) -> None:
        """Cancels the running tools and waits until they stop, at most `_CANCEL_SECONDS`."""
        running = [task for task in self._tasks if not task.done()]
        for task in running:
            task.cancel()
            task.add_done_callback(_retrieve_exception)
        if running:
            _, abandoned = await asyncio.wait(running, timeout=_CANCEL_SECONDS)
            for task in abandoned:
                log.warning("tool ignores cancellation", extra={"fields": {"tool": self._tasks[task].call.name}})


def _retrieve_exception(task: asyncio.Task[ToolResult]) -> None:
    """Retrieves the exception of an abandoned task, so that asyncio doesn't report it."""
    if not task.cancelled():
        task.exception()
