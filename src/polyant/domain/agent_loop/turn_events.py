"""The events of a turn whose steps run in a task of their own."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable

from polyant.domain.chat import SupervisorEvent

log = logging.getLogger("polyant.turn")

_CANCEL_SECONDS = 0.4
"""How long cancelled work may take to stop; then it is abandoned."""


class TurnEvents:
    """Passes the events of concurrent work to one generator, one at a time: a slow reader slows the work."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[SupervisorEvent | None] = asyncio.Queue()

    async def emit(self, event: SupervisorEvent) -> None:
        """Returns when the reader has taken the event and asks for the next one."""
        self._queue.put_nowait(event)
        await self._queue.join()

    async def of(self, work: Callable[[], Awaitable[object]]) -> AsyncGenerator[SupervisorEvent, None]:
        """Runs the work and yields the events that it emits; closing the generator cancels the work.

        Args:
            work: Starts the work.

        Raises:
            Exception: The exception that ended the work.
        """
        task = asyncio.ensure_future(_run(work))
        task.add_done_callback(lambda _: self._queue.put_nowait(None))
        try:
            while (event := await self._queue.get()) is not None:
                yield event
                self._queue.task_done()
            await task
        finally:
            if not task.done():
                await _cancel(task)


async def _run(work: Callable[[], Awaitable[object]]) -> None:
    await work()


async def _cancel(task: "asyncio.Task[None]") -> None:
    task.cancel()
    _, running = await asyncio.wait([task], timeout=_CANCEL_SECONDS)
    if running:
        log.warning("supervisor ignores cancellation")
    task.add_done_callback(_retrieve_exception)


def _retrieve_exception(task: "asyncio.Task[None]") -> None:
    """Retrieves the exception of cancelled work, so that asyncio doesn't report it."""
    if not task.cancelled():
        task.exception()
