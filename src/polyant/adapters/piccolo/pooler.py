"""Detects a connection pooler that loses prepared statements, such as PgBouncer in transaction mode before 1.21."""

import secrets
from typing import Any

import asyncpg  # type: ignore[import-untyped] # it ships none

MISSING_STATEMENTS = (asyncpg.InvalidSQLStatementNameError, asyncpg.DuplicatePreparedStatementError)
"""The errors that only occur if two clients share a connection to the server."""

POOLER_FIX = (
    "The connection pooler doesn't keep prepared statements: set max_prepared_statements = 200 in PgBouncer "
    "(1.21 or later), or pool_mode = session, or set DATABASE_URL to the PostgreSQL server itself"
)

_SECONDS = 2.0
_QUERY = "SELECT pg_backend_pid()"


async def check_prepared_statements(connection: Any, other: Any) -> None:
    """Returns if each connection keeps its own prepared statements, or if that can't be found out.

    The second connection prepares a statement of the same name in a transaction. A pooler gives it the connection to
    the server that the first one used last, where the name is taken; or else the first one gets another connection to
    the server, which doesn't have its statement.

    Args:
        connection: An idle asyncpg connection.
        other: Another one.

    Raises:
        DuplicatePreparedStatementError: The connections share one to the server.
        InvalidSQLStatementNameError: The first connection lost its statement.
    """
    name = f"polyant_{secrets.token_hex(8)}"
    statement = await connection.prepare(_QUERY, name=name)
    await statement.fetchval()  # until its end, the pooler keeps the connection to the server for this client
    async with other.transaction():
        await other.prepare(_QUERY, name=name)
        try:
            await statement.fetchval(timeout=_SECONDS)
        except TimeoutError:
            return  # the pooler has only one connection to the server
