"""What cancelled tasks leave of SQLite's connections, each of which has a thread; the rest is in test_database.py."""

import asyncio
import itertools
import threading
from collections.abc import Callable, Coroutine, Generator
from contextlib import suppress
from typing import Any

import pytest
from piccolo.apps.migrations.tables import Migration

from polyant.adapters.piccolo.database import PiccoloDatabase

ALWAYS = 1_000
Run = Callable[[PiccoloDatabase], Coroutine[Any, Any, None]]


class Cancelled:
    """Awaits a coroutine, and cancels it when it waits for the nth time and the next few times."""

    def __init__(self, coroutine: Coroutine[Any, Any, object], *, at: int, times: int) -> None:
        self._waits = coroutine.__await__()
        self._numbers = range(at, at + times)
        self.was_cancelled = False

    def __await__(self) -> Generator[Any, None, None]:
        with suppress(asyncio.CancelledError, StopIteration):
            awaited = next(self._waits)
            for number in itertools.count(1):
                if number in self._numbers:
                    self.was_cancelled = True
                    awaited = self._waits.throw(asyncio.CancelledError())
                else:
                    yield awaited
                    awaited = next(self._waits)


@pytest.fixture
def threads() -> set[threading.Thread]:
    """Those that run without any connection."""
    return {*threading.enumerate()}


async def run_one(database: PiccoloDatabase) -> None:
    await database.run("SELECT 1")


async def run_many(database: PiccoloDatabase) -> None:
    await database.run_many("DELETE FROM sessions WHERE token_id = ?", [("a",), ("b",)])


@pytest.mark.parametrize("times", [1, ALWAYS])
async def test_cancelled_write_leaves_no_thread_that_would_report_to_a_closed_event_loop(
    threads: set[threading.Thread], sqlite_database: PiccoloDatabase, times: int
) -> None:
    async def change() -> None:
        await sqlite_database.bind(Migration).count()

    for number in itertools.count(1):
        attempt = Cancelled(sqlite_database.write(change), at=number, times=times)
        await attempt
        assert {*threading.enumerate()} == threads
        if not attempt.was_cancelled:
            break
    assert number > 5


@pytest.mark.parametrize("run", [run_one, run_many])
@pytest.mark.parametrize("times", [1, ALWAYS])
async def test_cancelled_statement_leaves_no_thread_when_the_database_is_closed(
    threads: set[threading.Thread], sqlite_database: PiccoloDatabase, sqlite_url: str, times: int, run: Run
) -> None:
    for number in itertools.count(1):
        async with PiccoloDatabase(sqlite_url) as database:
            attempt = Cancelled(run(database), at=number, times=times)
            await attempt
        assert {*threading.enumerate()} == threads
        if not attempt.was_cancelled:
            break
    assert number > 3
