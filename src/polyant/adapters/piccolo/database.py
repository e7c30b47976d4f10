"""The database: connections, transactions, migrations and outages."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from types import TracebackType, new_class
from typing import Any, Literal, Self, TypeVar, cast
from urllib.parse import unquote

from piccolo.apps.migrations.tables import Migration
from piccolo.engine.base import Engine
from piccolo.table import Table

from polyant.adapters.piccolo import MAX_CONNECTIONS
from polyant.adapters.piccolo.backend import Backend, Row, Work
from polyant.adapters.piccolo.migrations import SchemaTooNewError, applied_ids, known_migrations, run_pending
from polyant.adapters.piccolo.outages import AvailabilityLog
from polyant.adapters.piccolo.postgres import PostgresBackend
from polyant.adapters.piccolo.sqlite import SqliteBackend
from polyant.domain.errors import InvalidInputError, StorageUnavailableError

SchemaState = Literal["empty", "older", "current", "newer"]

AnyTable = TypeVar("AnyTable", bound=Table)
Result = TypeVar("Result")


class PiccoloDatabase:
    """One database, open as long as the context manager is. The constructor doesn't connect.

    Args:
        url: `sqlite:///relative/path`, `sqlite:////absolute/path` or
            `postgresql://user:password@host:port/database`.
        min_connections: The minimum size of the pool, for PostgreSQL; SQLite opens a connection per transaction.
        max_connections: The maximum size of the pool, for PostgreSQL.
        wait_seconds: The maximum wait for a connection, for PostgreSQL.

    Raises:
        InvalidInputError: The URL has another form; the message doesn't contain it.
    """

    def __init__(
        self, url: str, *, min_connections: int = 1, max_connections: int = MAX_CONNECTIONS, wait_seconds: float = 5.0
    ) -> None:
        self._backend = _backend_of(
            url, min_connections=min_connections, max_connections=max_connections, wait_seconds=wait_seconds
        )
        self._bound: dict[type[Table], type[Table]] = {}
        self._migrations = self.bind(Migration)
        self._log = AvailabilityLog(self.place)

    async def __aenter__(self) -> Self:
        """Opens the database.

        Raises:
            StorageUnavailableError: The database can't be reached; the hint contains its location.
        """
        with self._outages(log_outages=False):
            await self._backend.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._backend.close()

    @property
    def place(self) -> str:
        """The location of the database for people, without user and password."""
        return self._backend.place

    @property
    def engine(self) -> Engine[Any]:
        """Piccolo's engine for the database."""
        return self._backend.engine

    @property
    def dialect(self) -> Literal["sqlite", "postgres"]:
        """The SQL dialect."""
        return cast("Literal['sqlite', 'postgres']", self._backend.engine.engine_type)

    def bind(self, table: type[AnyTable]) -> type[AnyTable]:
        """Returns the copy of the table class that is bound to this database; all its users share it."""
        if table not in self._bound:
            options = {"tablename": table._meta.tablename, "db": self._backend.engine}  # noqa: SLF001 - public in Piccolo despite its name
            self._bound[table] = new_class(table.__name__, (table,), options)
        return cast("type[AnyTable]", self._bound[table])

    async def read(self, query: Callable[[], Awaitable[Result]]) -> Result:
        """Returns the result of `query`; all its statements see one snapshot of the database.

        After a lost connection, the query is retried once on a new connection.

        Raises:
            StorageUnavailableError: The database doesn't respond.
        """
        return await self._with_retry(partial(self._read, query))

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator["Snapshot"]:
        """Opens a snapshot of the database for several reads, which must take place in the same task.

        Raises:
            StorageUnavailableError: The database doesn't respond.
        """
        async with AsyncExitStack() as stack:
            with self._outages():
                await stack.enter_async_context(self._backend.reading())
                await self._migrations.exists()  # the first query determines the moment of the snapshot
            yield Snapshot(self._outages)

    async def run(self, statement: str, *arguments: object) -> Iterable[Row]:
        """Returns the rows of one autocommitted statement, in one round trip.

        Use it for frequent statements that may be lost or take effect twice. SQLite doesn't wait for the disk. After a
        lost connection, the statement is retried once on a new one.

        Args:
            statement: SQL in the database's dialect.
            arguments: The values of the placeholders.

        Raises:
            StorageUnavailableError: The database doesn't respond; the statement may or may not have taken effect.
        """
        return await self._with_retry(partial(self._backend.run, statement, *arguments))

    async def run_many(self, statement: str, rows: Sequence[Row]) -> None:
        """Runs a statement once for each row of arguments, atomically.

        It has the same guarantees as `run`, and is much faster than Piccolo's queries. Don't call it within `write`.

        Raises:
            StorageUnavailableError: The database doesn't respond; the statements may or may not have taken effect.
        """
        await self._with_retry(partial(self._backend.run_many, statement, rows), wrote=True)

    async def transact(self, work: Callable[[], Work[Result]]) -> Result:
        """Returns the result of a durable transaction whose statements `work` yields; an exception rolls it back.

        Unlike `write`, it doesn't wait for the event loop between statements on SQLite, so it holds the write lock
        shortly, and the disk has the change once it returns. It isn't repeated after a lost connection, but after a
        deadlock.

        Raises:
            StorageUnavailableError: The database doesn't respond; the change may or may not have taken effect.
        """
        with self._outages(wrote=True):
            return await self._backend.transact(work)

    async def forget(self) -> None:
        """Removes deleted data from the database's files, as far as the database keeps any; best effort."""
        await self._backend.forget()

    async def write(self, change: Callable[[], Awaitable[Result]]) -> Result:
        """Returns the result of `change`, whose queries run in one transaction; an exception rolls it back.

        Don't nest calls of `write` and `read`.

        Raises:
            StorageUnavailableError: The database doesn't respond; the change may or may not have taken effect.
        """
        with self._outages(wrote=True):
            async with self._backend.writing():
                result = await change()
        return result

    async def schema(self) -> SchemaState:
        """Returns the state of the schema compared to this version's; changes nothing.

        Raises:
            StorageUnavailableError: The database doesn't respond or is invalid; the hint contains its location.
        """
        with self._outages(log_outages=False):
            if not await self._backend.has_migrations():
                return "empty"
            async with self._backend.reading():
                applied = await applied_ids(self._migrations)
        known = {module.ID for module in known_migrations()}
        if applied - known:
            return "newer"
        return "current" if applied == known else "older" if applied else "empty"

    async def migrate(self) -> None:
        """Creates or updates the tables; concurrent processes wait for the first one.

        Raises:
            SchemaTooNewError: A newer version created the tables; nothing is changed.
            MigrationFailedError: A migration failed; nothing is changed.
            StorageUnavailableError: The database doesn't respond; the hint contains its location.
        """
        state = await self.schema()
        if state == "newer":
            raise SchemaTooNewError
        with self._outages(log_outages=False):
            await self._backend.prepare()
            if state != "current":
                async with self._backend.migrating():
                    await run_pending(self._backend.engine, self._migrations)

    async def _read(self, query: Callable[[], Awaitable[Result]], *, new_connection: bool) -> Result:
        async with self._backend.reading(new_connection=new_connection):
            return await query()

    async def _with_retry(self, attempt: Callable[..., Awaitable[Result]], *, wrote: bool = False) -> Result:
        """Returns the attempt's result; retries once on a new connection if the first one was lost."""
        try:
            with self._outages(wrote=wrote):
                return await attempt(new_connection=False)
        except StorageUnavailableError as error:
            if not self._backend.is_stale(error.__cause__):
                raise
        with self._outages(wrote=wrote):
            return await attempt(new_connection=True)

    @contextmanager
    def _outages(self, *, log_outages: bool = True, wrote: bool = False) -> Iterator[None]:
        """Translates the drivers' errors for an unavailable database to StorageUnavailableError.

        Args:
            log_outages: Whether to log them; the caller reports others itself.
            wrote: Whether the success of the block shows that writes work.
        """
        try:
            yield
        except Exception as error:
            if not self._backend.is_outage(error):
                raise
            diagnosis = self._backend.diagnose(error)
            if log_outages:
                self._log.failed(diagnosis)
            raise StorageUnavailableError(
                store="database", hint=f"Cannot use {self.place}: {diagnosis.text}"
            ) from error
        else:
            self._log.succeeded(wrote=wrote)


class Snapshot:
    """The state of the database at one moment."""

    def __init__(self, outages: Callable[[], AbstractContextManager[None]]) -> None:
        self._outages = outages

    async def read(self, query: Callable[[], Awaitable[Result]]) -> Result:
        """Returns the result of `query`.

        Raises:
            StorageUnavailableError: The database doesn't respond.
        """
        with self._outages():
            return await query()


def _backend_of(url: str, *, min_connections: int, max_connections: int, wait_seconds: float) -> Backend:
    scheme, _, rest = url.partition("://")
    path = unquote(rest.removeprefix("/"))
    if scheme == "sqlite" and rest.startswith("/") and path not in {"", ":memory:"}:
        return SqliteBackend(Path(path))
    if scheme in {"postgresql", "postgres"}:
        return PostgresBackend(
            url, min_connections=min_connections, max_connections=max_connections, wait_seconds=wait_seconds
        )
    raise InvalidInputError("A database URL must be sqlite:/// followed by a path, or start with postgresql://")
