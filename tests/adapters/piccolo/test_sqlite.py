"""SQLite connections of cancelled tasks, and new files; test_database.py covers the rest."""

import asyncio
import itertools
import sqlite3
import threading
from collections.abc import Callable, Coroutine, Generator
from contextlib import suppress
from typing import Any

import aiosqlite
import pytest
from piccolo.apps.migrations.tables import Migration

from polyant.adapters.piccolo import sqlite
from polyant.adapters.piccolo.database import PiccoloDatabase

ALWAYS = 1_000
Run = Callable[[PiccoloDatabase], Coroutine[Any, Any, None]]


class Cancelled:
    """Awaits a coroutine and cancels it at its nth wait and at the next few."""

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


class SwitchingConnection(aiosqlite.Connection):
    """A connection to a file on which another process is enabling the write-ahead log."""

    def __init__(self, *, refusals: int, code: int = sqlite3.SQLITE_BUSY) -> None:
        super().__init__(lambda: sqlite3.connect(":memory:"), 1)
        self.asked: list[str] = []
        self._refusals = refusals
        self._code = code

    async def execute(self, sql: str, parameters: Any = None) -> aiosqlite.Cursor:  # type: ignore[override] # for await
        self.asked.append(sql)
        if len(self.asked) > self._refusals:
            return await super().execute(sql, parameters)
        error = sqlite3.OperationalError("database is locked")
        error.sqlite_errorcode = self._code
        raise error


@pytest.fixture
def three_attempts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "_WAL_ATTEMPTS", 3)
    monkeypatch.setattr(sqlite, "_WAL_PAUSE_SECONDS", 0.0)


@pytest.mark.usefixtures("three_attempts")
@pytest.mark.parametrize("refusals", [0, 1, 2])
async def test_write_ahead_log_is_retried_while_another_process_enables_it(refusals: int) -> None:
    connection = SwitchingConnection(refusals=refusals)
    async with connection:
        await sqlite._enable_wal(connection)
    assert connection.asked == ["PRAGMA journal_mode = WAL"] * (refusals + 1)


@pytest.mark.usefixtures("three_attempts")
@pytest.mark.parametrize(
    ("code", "attempts"), [(sqlite3.SQLITE_BUSY, 3), (sqlite3.SQLITE_IOERR, 1), (sqlite3.SQLITE_CANTOPEN, 1)]
)
async def test_unavailable_write_ahead_log_is_a_failure(code: int, attempts: int) -> None:
    connection = SwitchingConnection(refusals=9, code=code)
    async with connection:
        with pytest.raises(sqlite3.OperationalError, match="database is locked"):
            await sqlite._enable_wal(connection)
    assert len(connection.asked) == attempts


@pytest.fixture
def threads() -> set[threading.Thread]:
    """The threads that run without any connection."""
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
        assert {*threading.enumerate()} <= threads  # one of another test may have ended meanwhile
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
        assert {*threading.enumerate()} <= threads  # one of another test may have ended meanwhile
        if not attempt.was_cancelled:
            break
    assert number > 3
