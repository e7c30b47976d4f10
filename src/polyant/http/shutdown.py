"""The end: running turns get some time, then they end with a clear error, before the server closes what they need."""

import asyncio
import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from polyant.domain.running_turns import RunningTurns

log = logging.getLogger("polyant.http")

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def graceful_shutdown(turns: RunningTurns, *, seconds: float) -> Iterator[None]:
    """While open, a signal to stop closes `turns` at once and interrupts those that still run after `seconds`.

    The same signal once more interrupts them at once. Another one doesn't: Ctrl-C reaches each worker from the
    terminal, and a moment later its parent sends SIGTERM.

    The server's own handlers run as well: this one stands in front of them. In a worker, the death of the parent
    process counts as such a signal.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()

    received: set[int] = set()

    def stop(number: int) -> None:
        if number in received:
            turns.interrupt_all()
        received.add(number)
        if not turns.closed:
            log.info("stopping", extra={"fields": {"running_turns": len(turns)}})
            turns.close()
            loop.call_later(seconds, turns.interrupt_all)

    before = {number: signal.getsignal(number) for number in _SIGNALS}

    def handle(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(stop, number)
        earlier: Any = before[signal.Signals(number)]
        if callable(earlier):
            earlier(number, frame)

    for number in _SIGNALS:
        signal.signal(number, handle)
    try:
        with _watched_parent(loop):
            yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


@contextmanager
def _watched_parent(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """While open, a worker whose parent process dies sends itself SIGTERM."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        loop.add_reader(parent.sentinel, _stop_orphan, loop, parent.sentinel)
    try:
        yield
    finally:
        if parent is not None:
            loop.remove_reader(parent.sentinel)


def _stop_orphan(loop: asyncio.AbstractEventLoop, sentinel: int) -> None:
    loop.remove_reader(sentinel)
    os.kill(os.getpid(), signal.SIGTERM)
