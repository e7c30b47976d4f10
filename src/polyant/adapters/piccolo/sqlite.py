"""The SQLite backend: one connection per transaction, and WAL mode so that readers and the writer don't block."""

import asyncio
import contextlib
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiosqlite
from piccolo.engine.sqlite import SQLiteEngine

from polyant.adapters.piccolo.backend import Backend, Result, Row, Work, use_connection
from polyant.adapters.piccolo.outages import Diagnosis, diagnose_file, full_disk
from polyant.adapters.piccolo.persistent_connection import PersistentConnection
from polyant.adapters.piccolo.sqlite_writer import SqliteWriter, WriterLock

_LOCK_SECONDS = 10.0
_WAL_ATTEMPTS = 100
_WAL_PAUSE_SECONDS = 0.1

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
    """A database in a SQLite file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._write_lock = asyncio.Lock()
        self._persistent = PersistentConnection(self._connect)
        self._anchor: sqlite3.Connection | None = None
        self.place = f"the SQLite file {path}"
        # Without mode=rw, a query on a missing file would create an empty one.
        uri = f"file:{quote(str(path))}?mode=rw"
        self.engine = SQLiteEngine(uri, uri=True, timeout=_LOCK_SECONDS, factory=_Connection)
        self._lock = WriterLock(path.with_name(f"{path.name}-lock"), _LOCK_SECONDS)
        self._writer = SqliteWriter(lambda: sqlite3.connect(**self.engine.connection_kwargs), self._lock)

    async def open(self) -> None:
        self._persistent.open()
        self._writer.open()

    async def close(self) -> None:
        await self._persistent.close()
        await self._writer.close()
        if self._anchor is not None:
            self._anchor.close()
            self._anchor = None

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
            await _enable_wal(connection)
        self._keep_shared_memory()

    def _keep_shared_memory(self) -> None:
        """Opens a connection that stays open, so that reads go on while the disk is full.

        The first connection to a file creates its shared memory on disk, and the last one removes it.
        """
        if self._anchor is None:
            self._anchor = sqlite3.connect(**self.engine.connection_kwargs)
            self._anchor.execute("SELECT 1 FROM sqlite_master").close()

    def reading(self, *, new_connection: bool = False) -> AbstractAsyncContextManager[None]:  # noqa: ARG002 - each transaction has a new connection
        return self._transaction("BEGIN")

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[None]:
        async with self._only_writer(), self._transaction("BEGIN IMMEDIATE"):
            yield

    @asynccontextmanager
    async def _only_writer(self) -> AsyncIterator[None]:
        # Writers of this process queue here, because SQLite's own waiting polls. Transactions are immediate, because a
        # deferred one that starts by reading can't wait for a writer of another process later.
        async with asyncio.timeout(_LOCK_SECONDS):
            await self._write_lock.acquire()
        try:
            async with self._lock.hold_in_loop():
                yield
        finally:
            self._write_lock.release()

    async def run(self, statement: str, *arguments: object, new_connection: bool) -> Iterable[Row]:  # noqa: ARG002 - never retried
        return await self._persistent.fetch(statement, *arguments)

    async def run_many(self, statement: str, rows: Sequence[Row], *, new_connection: bool) -> None:  # noqa: ARG002 - the same
        async with self._only_writer():
            await self._persistent.run_many(statement, rows)

    async def transact(self, work: Callable[[], Work[Result]]) -> Result:
        return await self._writer.transact(work)

    async def forget(self) -> None:
        await self._writer.truncate_log()

    def migrating(self) -> AbstractAsyncContextManager[None]:
        return self._transaction("BEGIN EXCLUSIVE")

    def is_outage(self, error: Exception) -> bool:
        # The upper bits of an extended error code only add detail.
        return isinstance(error, OSError) or getattr(error, "sqlite_errorcode", 0) & 0xFF in _OUTAGES

    def diagnose(self, outage: Exception) -> Diagnosis:
        code = getattr(outage, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_FULL:
            return full_disk(f"on the file system of {self._path.absolute().parent}")
        if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED} or isinstance(outage, TimeoutError):
            reason = str(outage) or "waiting for another writer took too long"
            return Diagnosis(reason, "Stop the process that keeps the database locked")
        reason = getattr(outage, "strerror", None) or str(outage) or type(outage).__name__
        return diagnose_file(self._path, reason, getattr(outage, "errno", None))

    def is_stale(self, outage: BaseException | None) -> bool:  # noqa: ARG002 - a file has no connection to lose
        return False

    @asynccontextmanager
    async def _transaction(self, begin: str) -> AsyncIterator[None]:
        async with self._connect() as connection:
            await connection.execute(begin)
            with use_connection(self.engine, connection):
                yield
            await connection.execute("COMMIT")  # without it, closing the connection rolls back

    @asynccontextmanager
    async def _connect(self) -> AsyncIterator[aiosqlite.Connection]:
        connection = aiosqlite.connect(**self.engine.connection_kwargs)
        try:
            async with connection:
                yield connection
        finally:
            # A task that is cancelled while connecting or closing doesn't wait for the connection's thread, which would
            # later report to an event loop that may be closed. Without a cancellation, the thread has ended already.
            connection._thread.join()  # noqa: SLF001 - aiosqlite has no public way to wait for its thread


class _Connection(sqlite3.Connection):
    """A connection that enforces foreign keys, lowercases non-ASCII letters, and has a clock.

    `microseconds()` returns microseconds since 1970; SQLite's own functions have a resolution of milliseconds.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.create_function("lower", 1, str.lower, deterministic=True)
        self.create_function("microseconds", 0, _microseconds)
        self.execute("PRAGMA foreign_keys = 1")

    def executemany(self, statement: str, rows: Iterable[Any], /) -> sqlite3.Cursor:
        """Runs the statement for all rows in one transaction, so that aiosqlite needs only one call to its thread."""
        with self:
            self.execute("BEGIN IMMEDIATE")
            return super().executemany(statement, rows)


async def _enable_wal(connection: aiosqlite.Connection) -> None:
    """Switches the file to WAL mode permanently, if it isn't in that mode already."""
    for attempts_left in reversed(range(_WAL_ATTEMPTS)):
        try:
            await connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            # Unlike other statements, this one doesn't wait while another process runs it.
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or not attempts_left:
                raise
            await asyncio.sleep(_WAL_PAUSE_SECONDS)
        else:
            return


def _microseconds() -> int:
    return time.time_ns() // 1_000
