"""Calls that wait for rows which another transaction of PostgreSQL has locked."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from polyant.adapters.piccolo.conversation_tables import ConversationRow
from polyant.adapters.piccolo.database import PiccoloDatabase
from support.patience import PATIENCE

_WAITING = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


async def while_locked(
    database: PiccoloDatabase, statement: str, *calls: Coroutine[Any, Any, Any]
) -> list[object | BaseException]:
    """Returns the results of calls that begin one after another, each once the one before waits for a lock.

    Args:
        database: The database.
        statement: Locks rows until all calls wait.
        calls: The calls.
    """
    started: list[asyncio.Future[Any]] = []

    async def hold() -> None:
        await database.bind(ConversationRow).raw(statement).run()
        for number, call in enumerate(calls, 1):
            started.append(asyncio.ensure_future(call))
            async with asyncio.timeout(PATIENCE):
                while len([*await database.run(_WAITING)]) < number:  # noqa: ASYNC110 - the database tells nobody
                    await asyncio.sleep(0.01)

    await asyncio.create_task(database.write(hold))
    results: list[object | BaseException] = await asyncio.gather(*started, return_exceptions=True)
    return results
