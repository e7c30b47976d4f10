import asyncio
import contextlib
import sqlite3
import stat
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path

import pytest

from polyant.adapters.piccolo.backend import Work
from polyant.adapters.piccolo.dialects import in_dialects, step
from polyant.adapters.piccolo.sqlite_writer import SqliteWriter, WriterLock

SHORT = 0.05


def connect(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(file, isolation_level=None)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "some.db"
    with contextlib.closing(connect(file)) as connection:
        connection.execute("CREATE TABLE numbers (number INTEGER)")
    return file


@pytest.fixture
def lock(tmp_path: Path) -> WriterLock:
    return WriterLock(tmp_path / "some.db-lock", SHORT)


@pytest.fixture
async def writer(file: Path, tmp_path: Path) -> AsyncIterator[SqliteWriter]:
    writer = SqliteWriter(lambda: connect(file), WriterLock(tmp_path / "some.db-lock", 60))
    writer.open()
    yield writer
    await writer.close()


def add(number: int) -> Work[int]:
    yield from step("INSERT INTO numbers VALUES (?)", number)
    ((count,),) = yield from step("SELECT count(*) FROM numbers")
    return int(count)


def fail_after(number: int) -> Work[None]:
    yield from add(number)
    raise ValueError(number)


@contextlib.contextmanager
def held(lock: WriterLock) -> Iterator[None]:
    with lock.hold():
        yield


async def test_transaction_returns_the_result_of_its_work(writer: SqliteWriter) -> None:
    assert [await writer.transact(partial(add, number)) for number in range(3)] == [1, 2, 3]
    assert sorted(await asyncio.gather(*(writer.transact(lambda: add(9)) for _ in range(5)))) == [4, 5, 6, 7, 8]


async def test_exception_rolls_the_transaction_back(writer: SqliteWriter) -> None:
    with pytest.raises(ValueError, match="7"):
        await writer.transact(lambda: fail_after(7))
    assert await writer.transact(lambda: add(1)) == 1


async def test_failed_statement_rolls_back_and_reconnects(writer: SqliteWriter) -> None:
    def wrong() -> Work[None]:
        yield from add(7)
        yield from step("nonsense")

    with pytest.raises(sqlite3.OperationalError):
        await writer.transact(wrong)
    assert await writer.transact(lambda: add(1)) == 1


async def test_abandoned_transaction_does_not_run(writer: SqliteWriter, lock: WriterLock) -> None:
    with held(lock):
        waiting = asyncio.create_task(writer.transact(lambda: add(1)))
        behind = asyncio.create_task(writer.transact(lambda: add(2)))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        for task in (waiting, behind):
            task.cancel()
        await asyncio.wait([waiting, behind])
    assert await writer.transact(lambda: add(3)) == 1


async def test_every_transaction_waits_for_the_disk(writer: SqliteWriter) -> None:
    def pragmas() -> Work[tuple[int, int]]:
        ((synchronous,),) = yield from step("PRAGMA synchronous")
        ((secure_delete,),) = yield from step("PRAGMA secure_delete")
        return synchronous, secure_delete

    assert await writer.transact(pragmas) == (2, 1)


async def test_closed_writer_refuses_transactions(writer: SqliteWriter) -> None:
    await writer.transact(lambda: add(1))
    await writer.close()
    with pytest.raises(OSError, match="open"):
        await writer.transact(lambda: add(2))
    await writer.truncate_log()


async def test_lock_is_exclusive_and_its_wait_is_bounded(lock: WriterLock, tmp_path: Path) -> None:
    with held(lock):
        with pytest.raises(TimeoutError), held(lock):
            pass
        with pytest.raises(TimeoutError):
            async with lock.hold_in_loop():
                pass
    async with lock.hold_in_loop():
        with pytest.raises(TimeoutError), held(lock):
            pass
    with held(lock):
        pass
    assert stat.S_IMODE((tmp_path / "some.db-lock").stat().st_mode) == 0o600


async def test_waiting_in_the_loop_lets_other_tasks_run(tmp_path: Path) -> None:
    lock = WriterLock(tmp_path / "lock", 60)
    entered: list[int] = []

    async def enter(number: int) -> None:
        async with lock.hold_in_loop():
            entered.append(number)

    with held(lock):
        tasks = [asyncio.create_task(enter(number)) for number in range(3)]
        await asyncio.sleep(0)
        assert entered == []
    await asyncio.gather(*tasks)
    assert sorted(entered) == [0, 1, 2]


def test_statement_is_translated_for_both_dialects() -> None:
    statement = "SELECT greatest($1::bigint, @now), strpos(a, $2) WHERE id IN @texts(3) AND n IN @numbers(4) FOR UPDATE"
    assert in_dialects(statement) == {
        "sqlite": (
            "SELECT max(?1, microseconds()), instr(a, ?2) WHERE id IN (SELECT value FROM json_each(?3))"
            " AND n IN (SELECT value FROM json_each(?4)) "
        ),
        "postgres": (
            "SELECT greatest($1::bigint, floor(extract(epoch FROM clock_timestamp()) * 1000000)::bigint),"
            " strpos(a, $2) WHERE id IN (SELECT jsonb_array_elements_text($3::jsonb))"
            " AND n IN (SELECT jsonb_array_elements_text($4::jsonb)::bigint) FOR UPDATE"
        ),
    }
