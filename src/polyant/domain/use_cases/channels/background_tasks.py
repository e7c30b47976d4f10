"""Tasks that accompany the work on a lane."""

import asyncio


async def end(task: "asyncio.Task[None]") -> None:
    """Cancels the task and returns once it has ended; raises its error if it failed.

    A cancellation of the caller isn't mistaken for that of the task, as it would be by suppressing CancelledError.
    """
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled():
        task.result()
