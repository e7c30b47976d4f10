"""Graceful shutdown: running turns get time to finish and are then interrupted, before their resources are closed."""

import asyncio
import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from polyant.domain.running_turns import RunningTurns

log = logging.getLogger("polyant.http")

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def graceful_shutdown(
    turns: RunningTurns, *, seconds: float, on_close: Callable[[], None] = lambda: None
) -> Iterator[None]:
    """While open, SIGINT or SIGTERM closes `turns` and interrupts running ones after `seconds`.

    Until then, turns are admitted: the server decides which requests it still receives, and answers those that it has
    received. A second signal of the same kind ends the time immediately. A different signal doesn't: after Ctrl-C, each
    worker receives SIGINT from the terminal and then SIGTERM from its parent.

    The server's own signal handlers also run, after this one. In a worker, the death of the parent process has the
    effect of SIGTERM.

    Args:
        turns: The running turns.
        seconds: The time in which turns start and finish.
        on_close: Called whenever `turns` is closed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()

    received: set[int] = set()

    def end() -> None:
        turns.close()
        on_close()
        turns.interrupt_all()

    def stop(number: int) -> None:
        if number in received:
            end()
        received.add(number)
        if not turns.stopping:
            log.info("stopping", extra={"fields": {"running_turns": len(turns)}})
            turns.announce_close()
            loop.call_later(seconds, end)

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
    """While open, a worker sends itself SIGTERM when its parent process dies."""
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
