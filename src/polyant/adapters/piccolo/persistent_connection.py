"""A connection to SQLite that stays open, for statements too frequent to connect anew each time."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager

import aiosqlite


class KeptConnection:
    """Runs statements on one connection, which is made when it is first needed, and anew after a failure.

    What is written through it survives the end of the process; that it survives the end of the machine isn't waited
    for, which would cost more than all the rest.
    """

    def __init__(self, connect: Callable[[], AbstractAsyncContextManager[aiosqlite.Connection]]) -> None:
        """Takes what opens a connection that commits each statement by itself."""
        self._connect = connect
        self._connecting = asyncio.Lock()
        self._kept: tuple[aiosqlite.Connection, AsyncExitStack] | None = None
        self._is_open = False

    def open(self) -> None:
        """Allows for a connection."""
        self._is_open = True

    async def close(self) -> None:
        """Ends the connection, and allows for no other."""
        self._is_open = False
        async with self._connecting:
            if self._kept is not None:
                await self._drop(self._kept[0])

    async def fetch(self, statement: str, *arguments: object) -> Iterable[sqlite3.Row]:
        """Returns the rows of one statement, which is a transaction of its own."""
        async with self._usable() as connection:
            return await connection.execute_fetchall(statement, arguments)

    async def run_many(self, statement: str, rows: Iterable[Sequence[object]]) -> None:
        """Runs one statement for each row of arguments; all of them are one transaction."""
        async with self._usable() as connection:
            await connection.executemany(statement, rows)

    @asynccontextmanager
    async def _usable(self) -> AsyncIterator[aiosqlite.Connection]:
        connection = await self._connected() if self._kept is None else self._kept[0]
        try:
            yield connection
        except sqlite3.Error:
            await self._drop(connection)
            raise

    async def _connected(self) -> aiosqlite.Connection:
        async with self._connecting, AsyncExitStack() as stack:
            if self._kept is not None:
                return self._kept[0]
            if not self._is_open:
                raise OSError("the database isn't open")
            connection = await stack.enter_async_context(self._connect())
            await connection.execute("PRAGMA synchronous = NORMAL")
            self._kept = connection, stack.pop_all()
            return connection

    async def _drop(self, connection: aiosqlite.Connection) -> None:
        # Of those whose statements failed the first one ends the connection; to end it twice would take for ever.
        if self._kept is not None and self._kept[0] is connection:
            (_, stack), self._kept = self._kept, None
            await stack.aclose()
