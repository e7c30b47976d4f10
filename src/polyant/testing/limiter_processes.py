"""Calls of a RateLimiter from several processes at the same moment."""

import asyncio
import multiprocessing
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Barrier

from polyant.domain.limits import RateLimit
from polyant.domain.ports.rate_limiter import RateLimiter

Opener = Callable[[], AbstractAsyncContextManager[RateLimiter]]

_PROCESSES = 2
_CALLS = 3
"""Concurrent calls of each process per key."""
_START_SECONDS = 120.0
"""The limit for a process to start, so that a process that dies doesn't leave the others waiting."""


def hits_in_processes(opener: Opener, keys: Sequence[str], limit: RateLimit) -> Mapping[str, int]:
    """Returns how many calls of each key passed, when two processes call each key at the same moment.

    Raises:
        RuntimeError: A process failed; its traceback is on the standard error.
    """
    context = multiprocessing.get_context("spawn")
    barrier, passed = context.Barrier(_PROCESSES), context.SimpleQueue()
    shared = {"barrier": barrier, "passed": passed}
    processes = [
        context.Process(target=_call, args=(opener, keys, limit), kwargs=shared, daemon=True) for _ in range(_PROCESSES)
    ]
    try:
        for process in processes:
            process.start()
        for process in processes:
            process.join()
    finally:
        for process in processes:
            process.kill()
    if any(process.exitcode for process in processes):
        raise RuntimeError("a process with a second limiter failed")
    return sum((Counter(passed.get()) for _ in processes), Counter(dict.fromkeys(keys, 0)))


def _call(
    opener: Opener, keys: Sequence[str], limit: RateLimit, *, barrier: Barrier, passed: "SimpleQueue[Mapping[str, int]]"
) -> None:
    try:
        passed.put(asyncio.run(_hit_all(opener, keys, limit, barrier)))
    except BaseException:
        barrier.abort()
        raise


async def _hit_all(opener: Opener, keys: Sequence[str], limit: RateLimit, barrier: Barrier) -> Mapping[str, int]:
    passed = {}
    async with opener() as limiter:
        for key in keys:
            barrier.wait(_START_SECONDS)
            states = await asyncio.gather(*(limiter.hit(key, limit) for _ in range(_CALLS)))
            passed[key] = sum(state.allowed for state in states)
    return passed
