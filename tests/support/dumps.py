"""Dumps the content of a database as text."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import asyncpg  # type: ignore[import-untyped] # the package has no type hints


def dump_of(place: str | Path) -> str:
    """Returns the content of a PostgreSQL database, given its URL, or of an SQLite file, given its path."""
    if isinstance(place, str):
        return asyncio.run(_dump_of_postgres(place))
    with closing(sqlite3.connect(place)) as database:
        return "\n".join(database.iterdump())


async def _dump_of_postgres(url: str) -> str:
    connection = await asyncpg.connect(url)
    try:
        # This query returns one statement for each table, which selects its rows as text.
        listing = "SELECT format('SELECT t::text FROM %I AS t', tablename) FROM pg_tables WHERE schemaname = 'public'"
        tables = [await connection.fetch(select) for (select,) in await connection.fetch(listing)]
    finally:
        await connection.close()
    return "\n".join(text for rows in tables for (text,) in rows)
