"""SQLite: a connection for each transaction, and a write-ahead log so that readers and the writer don't wait."""

import asyncio
import contextlib
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiosqlite
from piccolo.engine.sqlite import SQLiteEngine

from polyant.adapters.piccolo.backend import Backend, Row, joined
from polyant.adapters.piccolo.kept_connection import KeptConnection

_LOCK_SECONDS = 10.0
_LOG_ATTEMPTS = 100
_LOG_PAUSE_SECONDS = 0.1

_OUTAGES = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_NOTADB,
    }
)


class SqliteBackend(Backend):
    """A database in one file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._turn = asyncio.Lock()
        self._kept = KeptConnection(self._connect)
        self.place = f"the SQLite file {path}"
        # Without mode=rw a query on a missing file would leave an empty one behind.
        uri = f"file:{quote(str(path))}?mode=rw"
        self.engine = SQLiteEngine(uri, uri=True, timeout=_LOCK_SECONDS, factory=_Connection)

    async def open(self) -> None:
        self._kept.open()

    async def close(self) -> None:
        await self._kept.close()

    async def has_migrations(self) -> bool:
        if not self._path.exists():
            return False
        async with self._connect() as connection:
            found = await connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'migration'")
            return await found.fetchone() is not None

    async def prepare(self) -> None:
        with contextlib.suppress(FileExistsError):
            os.close(os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        async with self._connect() as connection:
            await _keep_write_ahead_log(connection)

    def reading(self, *, anew: bool = False) -> AbstractAsyncContextManager[None]:  # noqa: ARG002 - it always is
        return self._transaction("BEGIN")

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[None]:
        async with self._only_writer(), self._transaction("BEGIN IMMEDIATE"):
            yield

    @asynccontextmanager
    async def _only_writer(self) -> AsyncIterator[None]:
        # Writers of this process queue here; SQLite itself has those that wait try again and again. A transaction that
        # is not immediate and starts by reading couldn't wait for a writer of another process later on.
        async with asyncio.timeout(_LOCK_SECONDS):
            await self._turn.acquire()
        try:
            yield
        finally:
            self._turn.release()

    async def run(self, statement: str, *arguments: object, anew: bool) -> Iterable[Row]:  # noqa: ARG002 - nothing is run again
        return await self._kept.fetch(statement, *arguments)

    async def run_many(self, statement: str, rows: Sequence[Row], *, anew: bool) -> None:  # noqa: ARG002 - the same
        async with self._only_writer():
            await self._kept.run_many(statement, rows)

    def migrating(self) -> AbstractAsyncContextManager[None]:
        return self._transaction("BEGIN EXCLUSIVE")

    def is_outage(self, error: Exception) -> bool:
        # The upper bits of a code only say more about the same failure.
        return isinstance(error, OSError) or getattr(error, "sqlite_errorcode", 0) & 0xFF in _OUTAGES

    def is_stale(self, outage: BaseException | None) -> bool:  # noqa: ARG002 - there is nobody to lose touch with
        return False

    @asynccontextmanager
    async def _transaction(self, begin: str) -> AsyncIterator[None]:
        async with self._connect() as connection:
            await connection.execute(begin)
            with joined(self.engine, connection):
                yield
            await connection.execute("COMMIT")  # without it, closing the connection rolls back

    @asynccontextmanager
    async def _connect(self) -> AsyncIterator[aiosqlite.Connection]:
        connection = aiosqlite.connect(**self.engine.connection_kwargs)
        try:
            async with connection:
                yield connection
        finally:
            # Who is cancelled while connecting or closing doesn't wait for the connection's thread, and that would
            # report to an event loop that may be closed by then. Otherwise it has nothing left to do.
            connection._thread.join()  # noqa: SLF001 - nothing else tells when it has ended


class _Connection(sqlite3.Connection):
    """A connection that minds foreign keys, whose lower() knows more letters than those of ASCII, and that has a clock.

    `microseconds()` are those since 1970; SQLite's own functions tell thousandths of a second only.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.create_function("lower", 1, str.lower, deterministic=True)
        self.create_function("microseconds", 0, _microseconds)
        self.execute("PRAGMA foreign_keys = 1")

    def executemany(self, statement: str, rows: Iterable[Any], /) -> sqlite3.Cursor:
        """Runs the statement for all rows in one transaction, so that aiosqlite needs one hop to its thread."""
        with self:
            self.execute("BEGIN IMMEDIATE")
            return super().executemany(statement, rows)


async def _keep_write_ahead_log(connection: aiosqlite.Connection) -> None:
    """Has the file keep a write-ahead log, now and later; one that does is left as it is."""
    for attempts_left in reversed(range(_LOG_ATTEMPTS)):
        try:
            await connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            # Other than everywhere else, SQLite doesn't wait here while another process does the same.
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or not attempts_left:
                raise
            await asyncio.sleep(_LOG_PAUSE_SECONDS)
        else:
            return


def _microseconds() -> int:
    return time.time_ns() // 1_000
