"""Durable transactions on SQLite: one connection in one thread, and a lock file for the writers of all processes."""

import asyncio
import contextlib
import fcntl
import os
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TypeVar

from polyant.adapters.piccolo.backend import Work

Result = TypeVar("Result")

_POLL_SECONDS = 0.0005
_TRUNCATION_MILLISECONDS = 100  # other writers wait meanwhile


class WriterLock:
    """A lock file that all writers of a database take, because SQLite's own waiting is unfair.

    Args:
        path: The lock file; it is created.
        seconds: The maximum wait.
    """

    def __init__(self, path: Path, seconds: float) -> None:
        self._path = path
        self._seconds = seconds
        self.milliseconds = round(seconds * 1_000)

    @contextmanager
    def hold(self, is_abandoned: Callable[[], bool] = lambda: False) -> Iterator[None]:
        """Holds the lock within the block; call it outside the event loop.

        Raises:
            OSError: The lock isn't free in time, or the file can't be opened, or nobody waits any longer.
        """
        with self._opened() as descriptor:
            for _ in self._attempts(descriptor):
                time.sleep(_POLL_SECONDS)
            if is_abandoned():
                raise TimeoutError("nobody waits for this transaction")
            yield

    @asynccontextmanager
    async def hold_in_loop(self) -> AsyncIterator[None]:
        """Holds the lock within the block, without blocking the event loop.

        Raises:
            OSError: The lock isn't free in time, or the file can't be opened.
        """
        with self._opened() as descriptor:
            for _ in self._attempts(descriptor):
                await asyncio.sleep(_POLL_SECONDS)
            yield

    @contextmanager
    def _opened(self) -> Iterator[int]:
        descriptor = os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            yield descriptor
        finally:
            os.close(descriptor)  # which releases the lock

    def _attempts(self, descriptor: int) -> Iterator[None]:
        """Yields after each failed attempt to acquire the lock."""
        end = time.monotonic() + self._seconds
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > end:
                    raise TimeoutError("waiting for another writer took too long") from None
                yield
            else:
                return


class SqliteWriter:
    """Runs whole transactions in one hop to a thread; each waits for the disk.

    Args:
        connect: Opens a connection in autocommit mode, to be used in another thread.
        lock: The lock of the database's writers.
    """

    def __init__(self, connect: Callable[[], sqlite3.Connection], lock: WriterLock) -> None:
        self._connect = connect
        self._lock = lock
        self._thread: ThreadPoolExecutor | None = None
        self._connection: sqlite3.Connection | None = None
        self._is_open = False

    def open(self) -> None:
        """Allows transactions."""
        self._is_open = True

    async def close(self) -> None:
        """Waits for the running transaction, and closes the connection."""
        self._is_open = False
        thread, self._thread = self._thread, None
        if thread is not None:
            await asyncio.get_running_loop().run_in_executor(thread, self._drop)
            thread.shutdown()

    async def transact(self, work: Callable[[], Work[Result]]) -> Result:
        """Returns the result of the transaction; an exception rolls it back."""
        if not self._is_open:
            raise OSError("the database isn't open")
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="sqlite-writer")
        abandoned = threading.Event()
        job = asyncio.get_running_loop().run_in_executor(self._thread, self._run, work, abandoned)
        try:
            return await asyncio.shield(job)
        except asyncio.CancelledError:
            abandoned.set()
            job.cancel()
            job.add_done_callback(lambda done: done.cancelled() or done.exception())
            raise

    async def truncate_log(self) -> None:
        """Moves the log into the database and empties it, so that it contains no deleted data; best effort."""
        if self._thread is not None and self._is_open:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._truncate_log)

    def _run(self, work: Callable[[], Work[Result]], abandoned: threading.Event) -> Result:
        try:
            with self._lock.hold(abandoned.is_set):
                return self._transaction(self._connected(), work())
        except sqlite3.Error:
            self._drop()
            raise

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            connection = self._connect()
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA secure_delete = ON").fetchall()
            self._connection = connection
        return self._connection

    @staticmethod
    def _transaction(connection: sqlite3.Connection, work: Work[Result]) -> Result:
        connection.execute("BEGIN IMMEDIATE")
        try:
            statement, arguments = next(work)
            while True:
                rows = connection.execute(statement, arguments).fetchall()
                statement, arguments = work.send(rows)
        except StopIteration as end:
            connection.execute("COMMIT")
            return end.value  # type: ignore[no-any-return]
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            raise

    def _truncate_log(self) -> None:
        with contextlib.suppress(sqlite3.Error, OSError), self._lock.hold():
            connection = self._connected()
            connection.execute(f"PRAGMA busy_timeout = {_TRUNCATION_MILLISECONDS}").fetchall()
            try:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            finally:
                connection.execute(f"PRAGMA busy_timeout = {self._lock.milliseconds}").fetchall()

    def _drop(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None
