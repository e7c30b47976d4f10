"""A persistent SQLite connection, for statements too frequent to open a connection for each."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager

import aiosqlite


class PersistentConnection:
    """Runs statements on one connection, which is opened on first use and reopened after a failure.

    Writes survive a crash of the process, but maybe not of the machine: waiting for the disk would cost more than the
    rest of the statement.

    Args:
        connect: Opens a connection in autocommit mode.
    """

    def __init__(self, connect: Callable[[], AbstractAsyncContextManager[aiosqlite.Connection]]) -> None:
        self._connect = connect
        self._connecting = asyncio.Lock()
        self._current: tuple[aiosqlite.Connection, AsyncExitStack] | None = None
        self._is_open = False

    def open(self) -> None:
        """Allows connecting."""
        self._is_open = True

    async def close(self) -> None:
        """Closes the connection and prevents new ones."""
        self._is_open = False
        async with self._connecting:
            if self._current is not None:
                await self._drop(self._current[0])

    async def fetch(self, statement: str, *arguments: object) -> Iterable[sqlite3.Row]:
        """Returns the rows of one autocommitted statement."""
        async with self._usable() as connection:
            return await connection.execute_fetchall(statement, arguments)

    async def run_many(self, statement: str, rows: Iterable[Sequence[object]]) -> None:
        """Runs one statement for each row of arguments, in one transaction."""
        async with self._usable() as connection:
            await connection.executemany(statement, rows)

    @asynccontextmanager
    async def _usable(self) -> AsyncIterator[aiosqlite.Connection]:
        connection = await self._connected() if self._current is None else self._current[0]
        try:
            yield connection
        except sqlite3.Error:
            await self._drop(connection)
            raise

    async def _connected(self) -> aiosqlite.Connection:
        async with self._connecting, AsyncExitStack() as stack:
            if self._current is not None:
                return self._current[0]
            if not self._is_open:
                raise OSError("the database isn't open")
            connection = await stack.enter_async_context(self._connect())
            await connection.execute("PRAGMA synchronous = NORMAL")
            self._current = connection, stack.pop_all()
            return connection

    async def _drop(self, connection: aiosqlite.Connection) -> None:
        # Only the first of several failed statements closes the connection; closing it twice would hang.
        if self._current is not None and self._current[0] is connection:
            (_, stack), self._current = self._current, None
            await stack.aclose()
