from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from polyant.adapters.memory.turn_log import MemoryTurnLog
from polyant.adapters.piccolo.database import PiccoloDatabase
from polyant.adapters.piccolo.turn_log import PiccoloTurnLog
from polyant.domain.injectables import TurnLogDays
from polyant.testing.manual_clock import ManualClock
from polyant.testing.turn_log import DAYS, Close, TurnLogContract, TurnLogOutageContract


@pytest.fixture
async def opened() -> AsyncIterator[AsyncExitStack]:
    """The exit stack that closes the log."""
    async with AsyncExitStack() as stack:
        yield stack


async def open_log(opened: AsyncExitStack, database: PiccoloDatabase, clock: ManualClock) -> PiccoloTurnLog:
    log = PiccoloTurnLog(database=database, clock=clock, turn_log_days=TurnLogDays(DAYS))
    return await opened.enter_async_context(log)


class TestMemoryTurnLog(TurnLogContract):
    @pytest.fixture
    def turn_log(self, clock: ManualClock) -> MemoryTurnLog:
        return MemoryTurnLog(clock=clock, turn_log_days=TurnLogDays(DAYS))

    @pytest.fixture
    def close(self, opened: AsyncExitStack) -> Close:
        return opened.aclose


class TestPiccoloTurnLogOnSqlite(TurnLogContract, TurnLogOutageContract):
    @pytest.fixture
    async def turn_log(
        self, opened: AsyncExitStack, sqlite_database: PiccoloDatabase, clock: ManualClock
    ) -> PiccoloTurnLog:
        return await open_log(opened, sqlite_database, clock)

    @pytest.fixture
    def close(self, opened: AsyncExitStack) -> Close:
        return opened.aclose

    @pytest.fixture
    async def unavailable(
        self, opened: AsyncExitStack, lost_sqlite_database: PiccoloDatabase, clock: ManualClock
    ) -> PiccoloTurnLog:
        return await open_log(opened, lost_sqlite_database, clock)


class TestPiccoloTurnLogOnPostgres(TurnLogContract, TurnLogOutageContract):
    @pytest.fixture
    async def turn_log(
        self, opened: AsyncExitStack, postgres_database: PiccoloDatabase, clock: ManualClock
    ) -> PiccoloTurnLog:
        return await open_log(opened, postgres_database, clock)

    @pytest.fixture
    def close(self, opened: AsyncExitStack) -> Close:
        return opened.aclose

    @pytest.fixture
    async def unavailable(
        self, opened: AsyncExitStack, lost_postgres_database: PiccoloDatabase, clock: ManualClock
    ) -> PiccoloTurnLog:
        return await open_log(opened, lost_postgres_database, clock)
