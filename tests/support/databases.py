"""Fixtures for databases with Polyant's tables and for unavailable databases."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from polyant.adapters.piccolo.database import PiccoloDatabase
from support.postgres import PostgresServer


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The URL of a file that does not exist yet."""
    return f"sqlite:///{tmp_path}/polyant.db"


@pytest.fixture(scope="session")
def migrated_sqlite_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file that tests copy, because migrating one for each test is much slower."""
    file = tmp_path_factory.mktemp("migrated") / "polyant.db"

    async def migrate() -> None:
        async with PiccoloDatabase(f"sqlite:///{file}") as database:
            await database.migrate()

    asyncio.run(migrate())
    return file


@pytest.fixture
async def sqlite_database(sqlite_url: str, migrated_sqlite_file: Path) -> AsyncIterator[PiccoloDatabase]:
    shutil.copy(migrated_sqlite_file, sqlite_url.removeprefix("sqlite:///"))
    async with PiccoloDatabase(sqlite_url) as database:
        yield database


@pytest.fixture
async def postgres_database(postgres_url: str) -> AsyncIterator[PiccoloDatabase]:
    async with PiccoloDatabase(postgres_url) as database:
        yield database


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest) -> str:
    """The URL of a database without tables, once for SQLite and once for PostgreSQL."""
    found: str = request.getfixturevalue(f"{request.param}_url")
    return found


@pytest.fixture
async def database(database_url: str, migrated_sqlite_file: Path) -> AsyncIterator[PiccoloDatabase]:
    """A migrated database, once on SQLite and once on PostgreSQL."""
    if database_url.startswith("sqlite"):
        shutil.copy(migrated_sqlite_file, database_url.removeprefix("sqlite:///"))
    async with PiccoloDatabase(database_url) as database:
        yield database


@pytest.fixture
async def lost_sqlite_database(sqlite_url: str) -> AsyncIterator[PiccoloDatabase]:
    """A database whose file is missing."""
    async with PiccoloDatabase(sqlite_url) as database:
        yield database


@pytest.fixture
async def lost_postgres_database(postgres: PostgresServer) -> AsyncIterator[PiccoloDatabase]:
    """A database that was dropped after it was opened."""
    await postgres.create_database("lost")
    async with PiccoloDatabase(postgres.url_of("lost")) as database:
        await postgres.drop_database("lost")
        yield database
