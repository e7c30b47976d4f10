"""Finds calls that block the event loop, and calls that read or write, while a test uses an adapter."""

import functools
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest

_BLOCKING = frozenset(
    {
        "ftplib.connect",
        "http.client.send",
        "os.system",
        "smtplib.connect",
        "socket.getaddrinfo",
        "socket.gethostbyaddr",
        "socket.gethostbyname",
        "time.sleep",
        "urllib.Request",
    }
)
"""Audit events of calls that wait for another host or for time to pass."""

_READING_AND_WRITING = ("http.", "open", "os.", "shutil.", "socket.", "sqlite3.", "subprocess.", "time.", "urllib.")
"""The beginnings of the audit events of calls that read or write."""

Condition = Callable[[str, tuple[Any, ...]], bool]
"""Returns whether an audit event with these arguments is reported."""


def blocking_calls() -> AbstractContextManager[list[str]]:
    """Returns a context manager for a list, which gets the calls of this thread that block its event loop.

    It sees `time.sleep`, blocking connections, look-ups of names, and the requests of `http.client`, which requests and
    urllib3 use. It sees neither calculations nor files, and no connections of libraries in C.
    """
    return _watched(_blocks)


def reading_and_writing_calls() -> AbstractContextManager[list[str]]:
    """Returns a context manager for a list, which gets the calls of this thread that read or write anything."""
    return _watched(lambda event, _: event.startswith(_READING_AND_WRITING))


def _blocks(event: str, args: tuple[Any, ...]) -> bool:
    if event == "socket.connect":
        return bool(args[0].gettimeout() != 0)
    return event in _BLOCKING


class _Watch:
    """The audit events of one thread that meet a condition."""

    def __init__(self, condition: Condition) -> None:
        self.calls: list[str] = []
        self._condition = condition
        self._thread = threading.get_ident()

    def see(self, event: str, args: tuple[Any, ...]) -> None:
        if threading.get_ident() == self._thread and self._condition(event, args):
            self.calls.append(event)


_watches: list[_Watch] = []


def _see(event: str, args: tuple[Any, ...]) -> None:
    for watch in _watches:
        watch.see(event, args)


@functools.cache
def _add_hook() -> None:
    """Adds the hook once, because Python's audit hooks can't be removed."""
    sys.addaudithook(_see)


@contextmanager
def _watched(condition: Condition) -> Iterator[list[str]]:
    _add_hook()
    watch, sleep = _Watch(condition), time.sleep

    def sleep_seen(seconds: float) -> None:
        watch.see("time.sleep", (seconds,))  # Python reports it itself from 3.13 on
        sleep(seconds)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "sleep", sleep_seen)
        _watches.append(watch)
        try:
            yield watch.calls
        finally:
            _watches.remove(watch)
