"""Connections of a pool that are kept between statements."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

_KEPT_SECONDS = 5.0
"""The time after which a connection returns to its pool, so that the pool's limits of age and use apply to it."""


class KeptConnections:
    """Lends the connections of an asyncpg pool, and keeps free ones for the next caller.

    Acquiring a connection from the pool and releasing it takes two tasks and several timers, which costs about as much
    as a short statement. A connection returns to the pool if a caller waits for one, if the work on it failed, and a
    few seconds after it was acquired.

    Args:
        pool: The pool.
        wait_seconds: The maximum wait for a connection.
    """

    def __init__(self, pool: Any, *, wait_seconds: float) -> None:
        self._pool = pool
        self._wait_seconds = wait_seconds
        self._loop = asyncio.get_running_loop()
        self._free: list[tuple[Any, float]] = []
        """The free connections, the latest used last, each with the time by which it returns to the pool."""
        self._waiting = 0
        self._timer: asyncio.TimerHandle | None = None
        self._returning: set[asyncio.Future[None]] = set()
        self._is_closed = False

    @asynccontextmanager
    async def lend(self) -> AsyncIterator[Any]:
        """Lends a connection during the context.

        Raises:
            TimeoutError: All connections stayed in use.
        """
        connection, until = self._take() or await self._acquire()
        try:
            yield connection
        except BaseException:
            await self._pool.release(connection)
            raise
        await self._give_back(connection, until)

    async def fetch(self, statement: str, *arguments: object) -> list[Any]:
        """Returns the rows of a statement on one of the connections; raises as `lend`."""
        # Without `lend`, which would cost more than the rest of this method.
        connection, until = self._take() or await self._acquire()
        try:
            rows: list[Any] = await connection.fetch(statement, *arguments)
        except BaseException:
            await self._pool.release(connection)
            raise
        await self._give_back(connection, until)
        return rows

    async def close(self) -> None:
        """Returns all free connections to the pool, and from now on each one after its use."""
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()
        while self._free:
            self._return(self._free.pop()[0])
        await asyncio.gather(*self._returning, return_exceptions=True)

    def _take(self) -> tuple[Any, float] | None:
        while self._free:
            kept = self._free.pop()
            if not kept[0].is_closed():
                return kept
            self._return(kept[0])
        return None

    async def _acquire(self) -> tuple[Any, float]:
        self._waiting += 1
        try:
            connection = await self._pool.acquire(timeout=self._wait_seconds)
        finally:
            self._waiting -= 1
        return connection, self._loop.time() + _KEPT_SECONDS

    async def _give_back(self, connection: Any, until: float) -> None:
        if self._is_closed or self._waiting or self._loop.time() >= until or connection.is_closed():
            await self._pool.release(connection)
            return
        self._free.append((connection, until))
        if self._timer is None:
            self._timer = self._loop.call_at(until, self._return_old)

    def _return_old(self) -> None:
        now = self._loop.time()
        free, self._free = self._free, []
        for connection, until in free:
            if until > now:
                self._free.append((connection, until))
            else:
                self._return(connection)
        next_time = min((until for _, until in self._free), default=None)
        self._timer = None if next_time is None else self._loop.call_at(next_time, self._return_old)

    def _return(self, connection: Any) -> None:
        task = asyncio.ensure_future(self._pool.release(connection))
        self._returning.add(task)
        task.add_done_callback(self._returning.discard)
