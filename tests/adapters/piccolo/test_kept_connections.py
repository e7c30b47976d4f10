"""Connections that stay lent by the pool between statements, on a PostgreSQL server."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from polyant.adapters.piccolo import kept_connections
from polyant.adapters.piccolo.database import PiccoloDatabase
from support.patience import PATIENCE
from support.postgres import PostgresServer

PID = "SELECT pg_backend_pid()"


def pool_of(database: PiccoloDatabase) -> Any:
    return database.engine.pool  # type: ignore[attr-defined] # of PostgreSQL


async def pid_of(database: PiccoloDatabase) -> int:
    """Returns the server's process of the connection that runs a statement."""
    ((pid,),) = await database.run(PID)
    return int(pid)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - the pool tells nobody
            await asyncio.sleep(0.001)


async def test_successive_statements_use_one_connection(postgres_url: str) -> None:
    async with PiccoloDatabase(postgres_url, min_connections=3) as database:
        assert len({await pid_of(database) for _ in range(5)}) == 1
        assert pool_of(database).get_idle_size() == 2, "the pool hasn't got it back"


async def test_kept_connection_returns_to_the_pool_after_a_while(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_connections, "_KEPT_SECONDS", 0.02)
    async with PiccoloDatabase(postgres_url, min_connections=2) as database:
        await asyncio.gather(*(pid_of(database) for _ in range(2)))
        await until(lambda: pool_of(database).get_idle_size() == 2)
        await pid_of(database)


async def test_connection_that_is_in_use_all_the_time_returns_to_the_pool_as_well(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pool replaces connections after a number of statements."""
    monkeypatch.setattr(kept_connections, "_KEPT_SECONDS", 0.0)
    async with PiccoloDatabase(postgres_url) as database:
        await pid_of(database)
        assert pool_of(database).get_idle_size() == pool_of(database).get_size()


async def test_waiting_callers_share_the_only_connection(postgres_url: str) -> None:
    async with PiccoloDatabase(postgres_url, max_connections=1) as database:
        pids = await asyncio.gather(
            *(pid_of(database) for _ in range(20)), database.write(lambda: pid_of_write(database))
        )
        assert len(set(pids)) == 1


async def pid_of_write(database: PiccoloDatabase) -> int:
    """Returns the process of the transaction's connection."""
    transaction = database.engine.current_transaction.get()
    assert transaction is not None
    return int(await transaction.connection.fetchval(PID))


async def test_connection_of_a_failed_statement_returns_to_the_pool(postgres_url: str) -> None:
    async with PiccoloDatabase(postgres_url, max_connections=1) as database:
        with pytest.raises(Exception, match="no_such_table"):
            await database.run("SELECT * FROM no_such_table")
        assert pool_of(database).get_idle_size() == 1
        await pid_of(database)


async def test_cancelled_statement_leaves_its_connection_usable(postgres_url: str) -> None:
    async with PiccoloDatabase(postgres_url, max_connections=1) as database:
        sleeping = asyncio.create_task(database.run("SELECT pg_sleep(600)"))
        await until(lambda: pool_of(database).get_idle_size() == 0)
        sleeping.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sleeping
        await pid_of(database)


async def test_kept_connection_that_the_server_closed_is_replaced(postgres_url: str, postgres: PostgresServer) -> None:
    async with PiccoloDatabase(postgres_url, max_connections=1) as database:
        before = await pid_of(database)
        await postgres.disconnect_all()
        await asyncio.sleep(0.01)  # the loop learns of it, or else the statement is repeated
        assert await pid_of(database) != before
        assert await pid_of(database) == await pid_of(database)


async def test_closed_database_leaves_no_connection_open(postgres_url: str) -> None:
    async with PiccoloDatabase(postgres_url, min_connections=3) as database:
        await asyncio.gather(*(pid_of(database) for _ in range(3)))
        pool = pool_of(database)
    assert pool.get_size() == 0
