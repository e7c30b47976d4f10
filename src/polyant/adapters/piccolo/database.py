"""The database: where it is, how it is asked, and what its failures become."""

import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import TracebackType, new_class
from typing import Any, Literal, Self, TypeVar, cast
from urllib.parse import unquote

from piccolo.apps.migrations.tables import Migration
from piccolo.engine.base import Engine
from piccolo.table import Table

from polyant.adapters.piccolo import MAX_CONNECTIONS
from polyant.adapters.piccolo.backend import Backend, Row
from polyant.adapters.piccolo.migrations import SchemaTooNewError, ids_that_ran, known_migrations, run_pending
from polyant.adapters.piccolo.postgres import PostgresBackend
from polyant.adapters.piccolo.sqlite import SqliteBackend
from polyant.domain.errors import InvalidInputError, StorageUnavailableError

_logger = logging.getLogger(__name__)

_NEWS_SECONDS = 10.0

SchemaState = Literal["empty", "older", "current", "newer"]

AnyTable = TypeVar("AnyTable", bound=Table)
Answer = TypeVar("Answer")


class PiccoloDatabase:
    """One database, open as long as the context manager is.

    `sqlite:///relative/path`, `sqlite:////absolute/path` or `postgresql://user:password@host:port/database`. The
    numbers of connections and the seconds to wait for one are those of PostgreSQL; SQLite connects anew each time.
    """

    def __init__(
        self, url: str, *, min_connections: int = 1, max_connections: int = MAX_CONNECTIONS, wait_seconds: float = 5.0
    ) -> None:
        """Takes the address; nothing is touched before the database is opened.

        Raises:
            InvalidInputError: The URL is of neither kind; the message doesn't show it.
        """
        self._backend = _backend_of(
            url, min_connections=min_connections, max_connections=max_connections, wait_seconds=wait_seconds
        )
        self._migrations = self.bind(Migration)
        self._answers = True
        self._no_news_before = 0.0

    async def __aenter__(self) -> Self:
        """Opens the database.

        Raises:
            StorageUnavailableError: It can't be reached; the message says where it was looked for.
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
        """Where the database is, for people; without user and password."""
        return self._backend.place

    @property
    def engine(self) -> Engine[Any]:
        """Piccolo's engine for it."""
        return self._backend.engine

    @property
    def dialect(self) -> Literal["sqlite", "postgres"]:
        """Which SQL it speaks."""
        return cast("Literal['sqlite', 'postgres']", self._backend.engine.engine_type)

    def bind(self, table: type[AnyTable]) -> type[AnyTable]:
        """Returns the table as it is in this database; tables themselves belong to none."""
        options = {"tablename": table._meta.tablename, "db": self._backend.engine}  # noqa: SLF001 - Piccolo's name for what is public in it
        return cast("type[AnyTable]", new_class(table.__name__, (table,), options))

    async def read(self, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        """Returns what `ask` does; its queries all see one state of the database.

        What a lost connection spoils is asked a second time, on a new one.

        Raises:
            StorageUnavailableError: The database doesn't answer.
        """
        return await self._twice(partial(self._read, ask))

    async def run(self, statement: str, *arguments: object) -> Iterable[Row]:
        """Returns the rows of one statement that is a transaction of its own, in one round trip.

        It is for what has to be fast and may get lost or take effect twice: SQLite doesn't wait for the disk, and what
        a lost connection spoils is run a second time, on a new one. It is written in the database's own SQL.

        Raises:
            StorageUnavailableError: The database doesn't answer; whether the statement took effect is open.
        """
        return await self._twice(partial(self._backend.run, statement, *arguments))

    async def run_many(self, statement: str, rows: Sequence[Row]) -> None:
        """Runs a statement once for each row of arguments; all of it takes effect, or nothing.

        It is for the same purposes as `run`, and costs a small part of what Piccolo's queries do. It may not be called
        within `write`.

        Raises:
            StorageUnavailableError: The database doesn't answer; whether the statements took effect is open.
        """
        await self._twice(partial(self._backend.run_many, statement, rows))

    async def write(self, change: Callable[[], Awaitable[Answer]]) -> Answer:
        """Returns what `change` does; all its queries take effect, or none if it raises.

        Neither this nor `read` may be called within another `write` or `read`.

        Raises:
            StorageUnavailableError: The database doesn't answer; whether the change took effect is open.
        """
        with self._outages():
            async with self._backend.writing():
                answer = await change()
        return answer

    async def schema(self) -> SchemaState:
        """Returns how the tables compare with those that this version needs; changes and creates nothing.

        Raises:
            StorageUnavailableError: The database doesn't answer, or isn't one; the hint says where it is.
        """
        with self._outages(log_outages=False):
            if not await self._backend.has_migrations():
                return "empty"
            async with self._backend.reading():
                ran = await ids_that_ran(self._migrations)
        known = {module.ID for module in known_migrations()}
        if ran - known:
            return "newer"
        return "current" if ran == known else "older" if ran else "empty"

    async def migrate(self) -> None:
        """Makes or updates the tables; of several processes at once one does it and the others wait.

        Raises:
            SchemaTooNewError: A newer version made them; nothing is changed.
            MigrationFailedError: Nothing is changed.
            StorageUnavailableError: The database doesn't answer; the hint says where it is.
        """
        state = await self.schema()
        if state == "newer":
            raise SchemaTooNewError
        with self._outages(log_outages=False):
            await self._backend.prepare()
            if state != "current":
                async with self._backend.migrating():
                    await run_pending(self._backend.engine, self._migrations)

    async def _read(self, ask: Callable[[], Awaitable[Answer]], *, anew: bool) -> Answer:
        async with self._backend.reading(anew=anew):
            return await ask()

    async def _twice(self, attempt: Callable[..., Awaitable[Answer]]) -> Answer:
        """Returns what the attempt does or, where a lost connection spoils it, what it does on a new one."""
        try:
            with self._outages():
                return await attempt(anew=False)
        except StorageUnavailableError as error:
            if not self._backend.is_stale(error.__cause__):
                raise
        with self._outages():
            return await attempt(anew=True)

    @contextmanager
    def _outages(self, *, log_outages: bool = True) -> Iterator[None]:
        """Turns what the drivers raise when the database doesn't answer into StorageUnavailableError."""
        try:
            yield
        except Exception as error:
            if not self._backend.is_outage(error):
                raise
            what = f"Cannot use {self.place}: {str(error) or type(error).__name__}"
            if log_outages:
                self._note(answers=False, message=what)
            raise StorageUnavailableError(hint=what) from error
        else:
            self._note(answers=True, message=f"Can use {self.place} again")

    def _note(self, *, answers: bool, message: str) -> None:
        """Logs the message if it is news; while too much is asked of the database, its state changes all the time."""
        if answers == self._answers or (not answers and time.monotonic() < self._no_news_before):
            return
        self._answers = answers
        self._no_news_before = time.monotonic() + _NEWS_SECONDS
        _logger.warning(message)


def _backend_of(url: str, *, min_connections: int, max_connections: int, wait_seconds: float) -> Backend:
    scheme, _, rest = url.partition("://")
    path = unquote(rest.removeprefix("/"))
    if scheme == "sqlite" and rest.startswith("/") and path not in {"", ":memory:"}:
        return SqliteBackend(Path(path))
    if scheme in {"postgresql", "postgres"}:
        return PostgresBackend(
            url, min_connections=min_connections, max_connections=max_connections, wait_seconds=wait_seconds
        )
    raise InvalidInputError("A database URL starts with sqlite:///, followed by a path, or with postgresql://")
