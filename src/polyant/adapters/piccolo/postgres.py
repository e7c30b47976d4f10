"""The PostgreSQL backend: a pool of asyncpg connections."""

import asyncio
import contextlib
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import asyncpg  # type: ignore[import-untyped] # it ships none
from piccolo.engine.postgres import PostgresEngine

from polyant.adapters.piccolo.backend import Backend, Result, Row, Work, use_connection
from polyant.adapters.piccolo.kept_connections import KeptConnections
from polyant.adapters.piccolo.outages import Diagnosis, full_disk
from polyant.adapters.piccolo.pooler import MISSING_STATEMENTS, POOLER_FIX, check_prepared_statements
from polyant.domain.errors import InvalidInputError

_COMMAND_SECONDS = 10.0
_MAX_DEADLOCKS = 3
_IDLE_SECONDS = 60.0  # some networks silently drop idle connections after 4 minutes
_MIGRATION_LOCK = 7_640_105_811_934_502_417  # an arbitrary key that no other user of advisory locks has

_HOST = re.compile(r"\A(\[[0-9A-Fa-f:.%]+\]|[^:\[\]]*)(:[0-9]{1,5})?\Z")

_OUTAGES = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.InternalClientError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.DeadlockDetectedError,
    *MISSING_STATEMENTS,
)

_FIXES: tuple[tuple[Any, str], ...] = (
    (MISSING_STATEMENTS, POOLER_FIX),
    (asyncpg.TooManyConnectionsError, "Lower DATABASE_POOL_SIZE, or raise max_connections of the server"),
    (asyncpg.InvalidAuthorizationSpecificationError, "Check user and password in DATABASE_URL"),
    (asyncpg.InvalidCatalogNameError, "Create the database, or correct its name in DATABASE_URL"),
    (asyncpg.DeadlockDetectedError, "Try again: other transactions needed the same rows at the same time"),
    (asyncpg.ReadOnlySQLTransactionError, "Set DATABASE_URL to the primary server, not to a standby"),
    (Exception, "Check that the server is running, and host and port in DATABASE_URL"),
)
"""The fix of an outage, by its kind; the first match applies."""


class PostgresBackend(Backend):
    """A database on a PostgreSQL server."""

    def __init__(self, url: str, *, min_connections: int, max_connections: int, wait_seconds: float) -> None:
        self.place = _describe(url)
        self.engine = _Engine({"dsn": url, "timeout": wait_seconds, "server_settings": {"application_name": "polyant"}})
        self._min_connections = min(min_connections, max_connections)
        self._max_connections = max_connections
        self._wait_seconds = wait_seconds
        self._connections: KeptConnections | None = None

    async def open(self) -> None:
        logging.getLogger("asyncpg.pool").addFilter(_without_traceback)
        try:
            await self.engine.start_connection_pool(
                min_size=self._min_connections,
                max_size=self._max_connections,
                max_inactive_connection_lifetime=_IDLE_SECONDS,
                command_timeout=_COMMAND_SECONDS,
                reset=_skip_reset,
            )
        except ValueError:  # suppressed, because asyncpg's message may contain the URL
            raise InvalidInputError(f"The URL of {self.place} has an invalid option") from None
        self._connections = KeptConnections(self.engine.pool, wait_seconds=self._wait_seconds)
        try:
            async with self._pooled() as connection, self._connected(_COMMAND_SECONDS) as other:
                await check_prepared_statements(connection, other)
        except asyncpg.TooManyConnectionsError:
            pass  # the pool works with the connections that it has

    async def close(self) -> None:
        if self._connections is None or self.engine.pool is None:
            return
        connections, self._connections = self._connections, None
        pool, self.engine.pool = self.engine.pool, None
        try:
            async with asyncio.timeout(self._wait_seconds):
                await connections.close()
                await pool.close()
        except (TimeoutError, OSError):  # the server doesn't respond, or is down
            pool.terminate()

    async def has_migrations(self) -> bool:
        async with self._pooled() as connection:
            return bool(await connection.fetchval("SELECT to_regclass('migration') IS NOT NULL"))

    async def prepare(self) -> None:
        pass

    @asynccontextmanager
    async def reading(self, *, new_connection: bool = False) -> AsyncIterator[None]:
        async with (
            self._ready(new_connection=new_connection) as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            with use_connection(self.engine, connection):
                yield

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[None]:
        async with self._pooled() as connection, connection.transaction():
            with use_connection(self.engine, connection):
                yield

    async def run(self, statement: str, *arguments: object, new_connection: bool) -> Iterable[Row]:
        return await _without_deadlock(partial(self._run, statement, *arguments, new_connection=new_connection))

    async def _run(self, statement: str, *arguments: object, new_connection: bool) -> Iterable[Row]:
        if not new_connection:
            return await self._open_connections().fetch(statement, *arguments)
        async with self._connected(_COMMAND_SECONDS) as connection:
            rows: Iterable[Row] = await connection.fetch(statement, *arguments)
            return rows

    async def run_many(self, statement: str, rows: Sequence[Row], *, new_connection: bool) -> None:
        async with self._ready(new_connection=new_connection) as connection:
            await connection.executemany(statement, rows)

    async def transact(self, work: Callable[[], Work[Result]]) -> Result:
        return await _without_deadlock(partial(self._transact, work))

    async def _transact(self, work: Callable[[], Work[Result]]) -> Result:
        async with self._pooled() as connection, connection.transaction():
            statements = work()
            try:
                statement, arguments = next(statements)
                while True:
                    statement, arguments = statements.send(await connection.fetch(statement, *arguments))
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]

    async def forget(self) -> None:
        """Does nothing: the server vacuums its tables."""

    @asynccontextmanager
    async def migrating(self) -> AsyncIterator[None]:
        async with self._connected(command_timeout=None) as connection, connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock($1)", _MIGRATION_LOCK)
            with use_connection(self.engine, connection):
                yield

    def is_outage(self, error: Exception) -> bool:
        # InterfaceError itself is a closed connection or pool; its subclasses are internal errors.
        return isinstance(error, _OUTAGES) or type(error) is asyncpg.InterfaceError

    def diagnose(self, outage: Exception) -> Diagnosis:
        if isinstance(outage, asyncpg.DiskFullError):
            return full_disk("on the database server")
        reason = next(iter(str(outage).splitlines()), type(outage).__name__)  # without details for programmers
        return Diagnosis(reason, next(fix for kind, fix in _FIXES if isinstance(outage, kind)))

    def is_stale(self, outage: BaseException | None) -> bool:
        # After a timeout, a retry would double the caller's wait; after others, a new connection changes nothing.
        return not isinstance(outage, (TimeoutError, asyncpg.DiskFullError, *MISSING_STATEMENTS))

    def _ready(self, *, new_connection: bool) -> AbstractAsyncContextManager[Any]:
        return self._connected(_COMMAND_SECONDS) if new_connection else self._pooled()

    def _pooled(self) -> AbstractAsyncContextManager[Any]:
        return self._open_connections().lend()

    @asynccontextmanager
    async def _connected(self, command_timeout: float | None) -> AsyncIterator[Any]:
        self._open_connections()
        connection = await asyncpg.connect(**self.engine.config, command_timeout=command_timeout)
        try:
            yield connection
        finally:
            await connection.close(timeout=self._wait_seconds)

    def _open_connections(self) -> KeptConnections:
        if self._connections is None:
            raise asyncpg.InterfaceError("the database isn't open")
        return self._connections


class _Engine(PostgresEngine):
    """Piccolo's engine, without the connection that its constructor opens."""

    async def check_version(self) -> None:
        pass


async def _without_deadlock(attempt: Callable[[], Awaitable[Result]]) -> Result:
    """Returns the attempt's result; repeats it if the server ended it to resolve a deadlock, which undoes all of it."""
    for _ in range(_MAX_DEADLOCKS):
        with contextlib.suppress(asyncpg.DeadlockDetectedError):
            return await attempt()
    return await attempt()


async def _skip_reset(connection: Any) -> None:
    """Does nothing when a connection returns to the pool, which saves a round trip each time.

    Open transactions are rolled back anyway, and the transactions leave no other session state.
    """


def _describe(url: str) -> str:
    """Returns the location in a PostgreSQL URL, without user and password.

    Raises:
        InvalidInputError: The URL is ambiguous, so that a part of the password might be parsed as the host, which
            error messages contain.
    """
    if not _is_unambiguous(url):
        raise InvalidInputError(
            "A PostgreSQL URL must be postgresql://user:password@host:port/database, "
            "with special characters in user and password percent-encoded"
        )
    parts = urlsplit(url)
    options = parse_qs(parts.query)
    hosts = parts.netloc.rpartition("@")[2] or ",".join(options.get("host", ["the local socket"]))
    database = unquote(parts.path.lstrip("/")) or ",".join(options.get("dbname", options.get("database", ["default"])))
    return f"the PostgreSQL database {database} at {hosts}"


def _is_unambiguous(url: str) -> bool:
    try:
        _, user_end, hosts = urlsplit(url).netloc.rpartition("@")
    except ValueError:  # suppressed, because its message may contain the URL
        return False
    return url.count("@") == len(user_end) and all(map(_HOST.match, hosts.split(",")))


def _without_traceback(record: logging.LogRecord) -> bool:
    """Removes the traceback: while a server is down, asyncpg logs one for every attempt to reconnect."""
    record.exc_info = None
    return True
