"""PostgreSQL: a pool of asyncpg connections."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import asyncpg  # type: ignore[import-untyped] # it ships none
from piccolo.engine.postgres import PostgresEngine

from polyant.adapters.piccolo.backend import Backend, Row, joined
from polyant.domain.errors import InvalidInputError

_COMMAND_SECONDS = 10.0
_IDLE_SECONDS = 60.0  # well below the 4 minutes after which some networks forget a silent connection without a word
_MIGRATION_LOCK = 7_640_105_811_934_502_417  # any number that no other user of advisory locks has

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
)


class PostgresBackend(Backend):
    """A database on a server."""

    def __init__(self, url: str, *, min_connections: int, max_connections: int, wait_seconds: float) -> None:
        self.place = _describe(url)
        self.engine = _Engine({"dsn": url, "timeout": wait_seconds, "server_settings": {"application_name": "polyant"}})
        self._min_connections = min(min_connections, max_connections)
        self._max_connections = max_connections
        self._wait_seconds = wait_seconds

    async def open(self) -> None:
        logging.getLogger("asyncpg.pool").addFilter(_without_traceback)
        try:
            await self.engine.start_connection_pool(
                min_size=self._min_connections,
                max_size=self._max_connections,
                max_inactive_connection_lifetime=_IDLE_SECONDS,
                command_timeout=_COMMAND_SECONDS,
                reset=_leave,
            )
        except ValueError:  # asyncpg's text may quote the URL
            raise InvalidInputError(f"The URL of {self.place} has an option that can't be used") from None

    async def close(self) -> None:
        if self.engine.pool is None:
            return
        pool, self.engine.pool = self.engine.pool, None
        try:
            async with asyncio.timeout(self._wait_seconds):
                await pool.close()
        except (TimeoutError, OSError):  # the server doesn't answer, or is gone already
            pool.terminate()

    async def has_migrations(self) -> bool:
        async with self._pooled() as connection:
            return bool(await connection.fetchval("SELECT to_regclass('migration') IS NOT NULL"))

    async def prepare(self) -> None:
        pass

    @asynccontextmanager
    async def reading(self, *, anew: bool = False) -> AsyncIterator[None]:
        async with (
            self._ready(anew=anew) as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            with joined(self.engine, connection):
                yield

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[None]:
        async with self._pooled() as connection, connection.transaction():
            with joined(self.engine, connection):
                yield

    async def run(self, statement: str, *arguments: object, anew: bool) -> Iterable[Row]:
        async with self._ready(anew=anew) as connection:
            rows: Iterable[Row] = await connection.fetch(statement, *arguments)
            return rows

    async def run_many(self, statement: str, rows: Sequence[Row], *, anew: bool) -> None:
        async with self._ready(anew=anew) as connection:
            await connection.executemany(statement, rows)

    @asynccontextmanager
    async def migrating(self) -> AsyncIterator[None]:
        async with self._connected(command_timeout=None) as connection, connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock($1)", _MIGRATION_LOCK)
            with joined(self.engine, connection):
                yield

    def is_outage(self, error: Exception) -> bool:
        # InterfaceError itself is a closed connection or pool; those that derive from it are mistakes of ours.
        return isinstance(error, _OUTAGES) or type(error) is asyncpg.InterfaceError

    def is_stale(self, outage: BaseException | None) -> bool:
        return not isinstance(outage, TimeoutError)  # who has waited long enough isn't made to wait again

    def _ready(self, *, anew: bool) -> AbstractAsyncContextManager[Any]:
        return self._connected(_COMMAND_SECONDS) if anew else self._pooled()

    def _pooled(self) -> AbstractAsyncContextManager[Any]:
        acquired: AbstractAsyncContextManager[Any] = self._open_pool().acquire(timeout=self._wait_seconds)
        return acquired

    @asynccontextmanager
    async def _connected(self, command_timeout: float | None) -> AsyncIterator[Any]:
        self._open_pool()
        connection = await asyncpg.connect(**self.engine.config, command_timeout=command_timeout)
        try:
            yield connection
        finally:
            await connection.close(timeout=self._wait_seconds)

    def _open_pool(self) -> Any:
        if self.engine.pool is None:
            raise asyncpg.InterfaceError("the database isn't open")
        return self.engine.pool


class _Engine(PostgresEngine):
    """Piccolo's engine, without the connection that it makes when it is built."""

    async def check_version(self) -> None:
        pass


async def _leave(connection: Any) -> None:
    """Leaves a connection that goes back to the pool as it is, which saves a round trip each time.

    An open transaction is rolled back all the same; nothing else outlives our transactions.
    """


def _describe(url: str) -> str:
    """Returns where a PostgreSQL URL points to, without user and password.

    Raises:
        InvalidInputError: A user, password or host stands in it in a way that could be taken for something else; what
            is taken for a host shows in errors.
    """
    if not _is_plain(url):
        raise InvalidInputError(
            "A PostgreSQL URL is written postgresql://user:password@host:port/database, "
            "with the special characters in user and password percent-encoded"
        )
    parts = urlsplit(url)
    options = parse_qs(parts.query)
    hosts = parts.netloc.rpartition("@")[2] or ",".join(options.get("host", ["the local socket"]))
    database = unquote(parts.path.lstrip("/")) or ",".join(options.get("dbname", options.get("database", ["default"])))
    return f"the PostgreSQL database {database} at {hosts}"


def _is_plain(url: str) -> bool:
    try:
        _, user_end, hosts = urlsplit(url).netloc.rpartition("@")
    except ValueError:  # its text may quote the URL
        return False
    return url.count("@") == len(user_end) and all(map(_HOST.match, hosts.split(",")))


def _without_traceback(record: logging.LogRecord) -> bool:
    """Leaves the traceback out: while a server is down, asyncpg would log one for every attempt to reconnect."""
    record.exc_info = None
    return True
