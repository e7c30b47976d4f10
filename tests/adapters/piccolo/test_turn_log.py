import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from polyant.adapters.piccolo.database import PiccoloDatabase
from polyant.adapters.piccolo.management_tables import TurnRow
from polyant.adapters.piccolo.turn_log import PiccoloTurnLog
from polyant.domain.injectables import TurnLogDays
from polyant.domain.instances import Slug
from polyant.testing.manual_clock import START, ManualClock
from polyant.testing.turn_log import DAYS, turn_of
from support.waiting import until

BOT = Slug("bot")
MANY = 500
DAY = 24 * 60 * 60


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def log_on(database: PiccoloDatabase, clock: ManualClock, *, max_waiting: int = 10_000) -> PiccoloTurnLog:
    return PiccoloTurnLog(database=database, clock=clock, turn_log_days=TurnLogDays(DAYS), max_waiting=max_waiting)


@pytest.fixture
async def log(database: PiccoloDatabase, clock: ManualClock) -> AsyncIterator[PiccoloTurnLog]:
    """An open turn log."""
    async with log_on(database, clock) as log:
        yield log


async def run_round(clock: ManualClock) -> None:
    """Advances the clock by a second and lets the log run its round."""
    await clock.sleepers()
    clock.advance(1)
    await clock.sleepers()


async def steps_listed(log: PiccoloTurnLog) -> list[int]:
    page = await log.list(BOT, limit=100_000)
    assert page.total == len(page.turns)
    return [turn.steps for turn in reversed(page.turns)]


async def rows_of(database: PiccoloDatabase) -> int:
    return await database.read(database.bind(TurnRow).count().run)


async def test_recorded_turn_is_stored_within_a_second(log: PiccoloTurnLog, clock: ManualClock) -> None:
    log.note(turn_of(steps=1))
    assert await steps_listed(log) == []
    await run_round(clock)
    assert await steps_listed(log) == [1]
    log.note(turn_of(steps=2))
    await run_round(clock)
    assert await steps_listed(log) == [1, 2]


async def test_many_turns_are_stored_at_once(log: PiccoloTurnLog, clock: ManualClock) -> None:
    await run_round(clock)
    for number in range(MANY):
        log.note(turn_of(steps=number))
    await until(lambda: steps_listed(log))
    assert await steps_listed(log) == [*range(MANY)]


async def test_idle_log_does_not_query_the_database(
    postgres_database: PiccoloDatabase, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    def failures() -> list[str]:
        return [record.message for record in caplog.records if record.name == PiccoloTurnLog.__module__]

    with caplog.at_level(logging.DEBUG, PiccoloTurnLog.__module__):
        async with log_on(postgres_database, clock) as log:
            await run_round(clock)
            await postgres_database.__aexit__(None, None, None)
            for _ in range(5):
                await run_round(clock)
            assert failures() == []
            log.note(turn_of())
            await run_round(clock)
            assert failures() == ["The database doesn't respond: 1 turns wait to be written"]


@asynccontextmanager
async def renamed(database: PiccoloDatabase) -> AsyncIterator[None]:
    """Hides the table of turns within the block."""
    table = database.bind(TurnRow)
    await database.write(table.raw("ALTER TABLE turns RENAME TO hidden").run)
    yield
    await database.write(table.raw("ALTER TABLE hidden RENAME TO turns").run)


async def test_turns_are_queued_during_an_outage_and_the_oldest_dropped(sqlite_url: str, clock: ManualClock) -> None:
    async with PiccoloDatabase(sqlite_url) as database, log_on(database, clock, max_waiting=MANY + 10) as log:
        for number in range(MANY + 20):
            log.note(turn_of(steps=number))
        await run_round(clock)
        for number in range(MANY + 20, MANY + 25):
            log.note(turn_of(steps=number))
        await run_round(clock)
        await database.migrate()
        await run_round(clock)
        assert await steps_listed(log) == [*range(15, MANY + 25)]


async def test_dropped_turns_are_counted_and_logged_once_a_minute(
    lost_sqlite_database: PiccoloDatabase, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    log = log_on(lost_sqlite_database, clock, max_waiting=3)
    for seconds in (0, 30, 29, 1, 60):
        clock.advance(seconds)
        for _ in range(5):
            log.note(turn_of())
    assert [record.message for record in caplog.records] == [
        f"The database stores no turns: metrics dropped so far: {number}" for number in (1, 13, 18)
    ]


async def test_number_of_lost_turns_is_logged_at_closing(
    lost_sqlite_database: PiccoloDatabase, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with log_on(lost_sqlite_database, clock) as log:
        for _ in range(3):
            log.note(turn_of())
    assert [record.message for record in caplog.records if record.name == log.__module__] == [
        "The metrics of 3 turns are lost: the database doesn't respond"
    ]


async def test_internal_error_does_not_stop_the_log(
    log: PiccoloTurnLog, database: PiccoloDatabase, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    await run_round(clock)
    async with renamed(database):
        log.note(turn_of(steps=1))
        await run_round(clock)
    assert "A turn could not be written" in caplog.messages
    log.note(turn_of(steps=2))
    await run_round(clock)
    assert await steps_listed(log) == [2]


async def test_log_that_is_closed_at_once_stores_recorded_turns(database: PiccoloDatabase, clock: ManualClock) -> None:
    async with log_on(database, clock) as log:
        log.note(turn_of(steps=1))
    assert await steps_listed(log) == [1]


async def test_turn_recorded_during_a_write_is_stored_at_closing(database: PiccoloDatabase, clock: ManualClock) -> None:
    async with log_on(database, clock) as log:
        await clock.sleepers()
        log.note(turn_of(steps=1))
        clock.advance(1)
        for _ in range(3):  # so that the log has started
            await asyncio.sleep(0)
        log.note(turn_of(steps=2))
    assert await steps_listed(log) == [1, 2]


async def test_expired_turns_are_deleted(log: PiccoloTurnLog, database: PiccoloDatabase, clock: ManualClock) -> None:
    """A thousand turns a second, so that no writer waits long; then the log pauses for an hour."""
    for _ in range(1_500):
        log.note(turn_of())
    log.note(turn_of(at=START + timedelta(hours=2)))
    await run_round(clock)
    assert await rows_of(database) == 1_501
    clock.advance(DAYS * DAY)
    await clock.sleepers()
    assert await rows_of(database) == 501
    await run_round(clock)
    assert await rows_of(database) == 1
    log.note(turn_of())
    await run_round(clock)
    assert await rows_of(database) == 2
    clock.advance(60 * 60)
    await clock.sleepers()
    assert await rows_of(database) == 1


async def test_turn_query_uses_an_index(log: PiccoloTurnLog, database: PiccoloDatabase, clock: ManualClock) -> None:
    for number in range(3_000):
        log.note(turn_of(Slug(f"bot-{number}")))
    await run_round(clock)
    table = database.bind(TurnRow)
    explain = {"sqlite": "EXPLAIN QUERY PLAN {}", "postgres": "EXPLAIN {}"}[database.dialect]
    await database.write(table.raw("ANALYZE").run)
    (statement,) = log._selection(BOT, START).limit(50).querystrings
    rows = await database.read(table.raw(explain, statement).run)
    plan = "\n".join(str([*row.values()]) for row in rows)
    assert "turns_slug" in plan
    assert "TEMP B-TREE" not in plan
    assert "Seq Scan" not in plan


async def test_turn_that_the_database_refuses_takes_no_others_along(
    log: PiccoloTurnLog, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    """The domain clamps token counts; this is the log's own protection."""
    for steps, tokens in ((1, 1), (2, 2**63), (3, 3)):
        log.note(turn_of(steps=steps, prompt_tokens=tokens))
    await run_round(clock)
    assert await steps_listed(log) == [1, 3]
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == [
        "A turn could not be written"
    ]
