import asyncio
import itertools
import sys
import time
from collections import defaultdict

import asyncpg  # type: ignore[import-untyped] # the package has no type hints
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from polyant.adapters.memory.rate_limiter import MemoryRateLimiter
from polyant.adapters.piccolo.database import PiccoloDatabase
from polyant.adapters.piccolo.rate_limiter import PiccoloRateLimiter
from polyant.adapters.piccolo.sqlite import SqliteBackend
from polyant.domain.limits import LimitState, RateLimit
from polyant.testing.manual_clock import ManualClock
from support.postgres import PostgresServer
from support.rate_limiter_rig import PiccoloRig
from support.waiting import until

LIMIT = RateLimit(20, 60)
HITS = 100
HIT = """
import asyncio, sys
from polyant.adapters.piccolo.database import PiccoloDatabase
from polyant.adapters.piccolo.rate_limiter import PiccoloRateLimiter
from polyant.domain.limits import RateLimit

async def main():
    async with PiccoloDatabase(sys.argv[1]) as database, PiccoloRateLimiter(database=database) as limiter:
        await limiter.hit("warm", RateLimit(1, 60))
        print("ready", flush=True)
        sys.stdin.readline()
        states = await asyncio.gather(*(limiter.hit("a", RateLimit(20, 60)) for _ in range(int(sys.argv[2]))))
        print(sum(state.allowed for state in states))

asyncio.run(main())
"""

new_keys = map(str, itertools.count())


@pytest.fixture
def rig(database: PiccoloDatabase) -> PiccoloRig:
    return PiccoloRig(database)


async def test_concurrent_calls_pass_exactly_up_to_the_limit(rig: PiccoloRig) -> None:
    states = await asyncio.gather(*(rig.limiter.hit("a", LIMIT) for _ in range(HITS)))
    assert sum(state.allowed for state in states) == LIMIT.requests
    assert sorted(state.remaining for state in states if state.allowed) == [*range(LIMIT.requests)]


async def test_calls_from_two_processes_pass_exactly_up_to_the_limit(
    database: PiccoloDatabase, database_url: str
) -> None:
    pipe = asyncio.subprocess.PIPE
    command = (sys.executable, "-c", HIT, database_url, str(HITS // 2))
    processes = [
        await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.STDOUT)
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
    outputs = await asyncio.gather(*(process.communicate(b"\n") for process in processes))
    assert sum(int(output) for output, _ in outputs) == LIMIT.requests


async def test_window_never_holds_more_calls_than_the_limit(database: PiccoloDatabase, database_url: str) -> None:
    """Runs in real time with two pools, fast and slow callers, and continuous sweeping."""
    passed: dict[str, list[tuple[float, float]]] = defaultdict(list)
    limit, ends = RateLimit(5, 1), time.monotonic() + 2.2

    async def call(limiter: PiccoloRateLimiter, key: str, pause: float) -> None:
        while (before := time.monotonic()) < ends:
            if (await limiter.hit(key, limit)).allowed:
                passed[key].append((before, time.monotonic()))
            await asyncio.sleep(pause)

    async def sweep(limiter: PiccoloRateLimiter) -> None:
        while time.monotonic() < ends:
            await limiter.sweep()
            await asyncio.sleep(0.01)

    async with PiccoloDatabase(database_url) as again:
        limiters = [PiccoloRateLimiter(database=each) for each in (database, again)]
        callers = itertools.product(limiters, "abc", (0.005, 0.05, 0.4))
        await asyncio.gather(*itertools.starmap(call, callers), *map(sweep, limiters))
    for times in passed.values():
        begun, ended = (sorted(each) for each in zip(*times, strict=True))
        assert len(times) > limit.requests
        # Each call was counted at some moment between its start and its end.
        gaps = [late - early for early, late in zip(begun, ended[limit.requests :], strict=False)]
        assert min(gaps) >= limit.seconds


@given(
    st.builds(RateLimit, st.integers(1, 5), st.integers(1, 5)),
    st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from([0, 0, 1, 2, 5])), max_size=25),
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_limiter_matches_the_memory_limiter(
    rig: PiccoloRig, limit: RateLimit, calls: list[tuple[str, int]]
) -> None:
    clock = ManualClock()
    memory = MemoryRateLimiter(clock=clock)
    keys = {client: next(new_keys) for client in "ab"}
    for client, pause in calls:
        clock.advance(pause)
        await rig.advance(pause)
        assert await rig.limiter.hit(keys[client], limit) == await memory.hit(client, limit)


async def test_time_stands_still_after_the_clock_is_set_back(rig: PiccoloRig) -> None:
    await rig.limiter.hit("a", RateLimit(2, 60))
    await rig.set_clock_back(30)
    states = [await rig.limiter.hit("a", RateLimit(2, 60)) for _ in range(2)]
    assert [(state.allowed, state.remaining, state.retry_after) for state in states] == [(True, 0, 60), (False, 0, 60)]


async def test_clock_set_back_by_more_than_the_window_blocks_no_client(rig: PiccoloRig) -> None:
    await rig.limiter.hit("a", RateLimit(1, 60))
    await rig.set_clock_back(3_600)
    states = [await rig.limiter.hit("a", RateLimit(1, 60)) for _ in range(2)]
    assert [(state.allowed, state.retry_after) for state in states] == [(True, 60), (False, 60)]


async def test_empty_logs_are_removed_automatically(database: PiccoloDatabase) -> None:
    rig = PiccoloRig(database)
    for key in "abc":
        await rig.limiter.hit(key, RateLimit(1, 60))
    await rig.limiter.hit("stays", RateLimit(1, 3_600))
    await rig.advance(60)
    async with PiccoloRateLimiter(database=database, sweep_seconds=0.01):
        await until(lambda: rig.holds_rows(1))
    assert not (await rig.limiter.hit("stays", RateLimit(1, 3_600))).allowed


async def test_any_number_of_empty_logs_is_removed_at_once(database: PiccoloDatabase) -> None:
    rig = PiccoloRig(database)
    await asyncio.gather(*(rig.limiter.hit(next(new_keys), RateLimit(1, 60)) for _ in range(1_500)))
    await rig.advance(60)
    assert await rig.held_keys() == 0


async def test_sweeping_continues_after_a_failure(
    sqlite_database: PiccoloDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    rig = PiccoloRig(sqlite_database)
    await rig.limiter.hit("a", RateLimit(1, 60))
    await rig.advance(60)
    await sqlite_database.run("ALTER TABLE rate_limits RENAME TO mislaid")

    async def failed() -> bool:
        return "no such table" in caplog.text

    async with PiccoloRateLimiter(database=sqlite_database, sweep_seconds=0.01):
        await until(failed)
        await sqlite_database.run("ALTER TABLE mislaid RENAME TO rate_limits")
        await until(lambda: rig.holds_rows(0))


class TestOnPostgres:
    async def test_call_is_one_round_trip(self, postgres_url: str) -> None:
        async with PiccoloDatabase(postgres_url, max_connections=1) as database:
            await database.migrate()
            limiter = PiccoloRateLimiter(database=database)
            await limiter.hit("a", LIMIT)  # prepares the statement
            asked: list[str] = []

            async def watch() -> None:
                transaction = database.engine.current_transaction.get()
                assert transaction is not None
                transaction.connection.add_query_logger(lambda record: asked.append(record.query))

            await database.write(watch)
            for _ in range(3):
                await limiter.hit("a", LIMIT)
        assert [query.split()[0] for query in asked if query != "COMMIT;"] == ["INSERT"] * 3

    async def test_clock_is_read_while_holding_the_lock(
        self, postgres_database: PiccoloDatabase, postgres_url: str
    ) -> None:
        """Otherwise a call that waited long would be logged, and expire, too early."""
        limiter = PiccoloRateLimiter(database=postgres_database)
        await limiter.hit("a", LIMIT)
        connection = await asyncpg.connect(postgres_url)
        async with connection.transaction():
            await connection.execute("SELECT FROM rate_limits FOR UPDATE")
            waiting = asyncio.create_task(limiter.hit("a", LIMIT))
            await until(lambda: connection.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"))
            released = await connection.fetchval("SELECT extract(epoch FROM clock_timestamp()) * 1000000")
        await waiting
        assert await connection.fetchval("SELECT asked_at FROM rate_limits") >= released
        await connection.close()

    async def test_dead_pooled_connection_fails_no_call(
        self, postgres_database: PiccoloDatabase, postgres: PostgresServer
    ) -> None:
        limiter = PiccoloRateLimiter(database=postgres_database)
        for _ in range(10):
            await asyncio.gather(*(limiter.hit("a", LIMIT) for _ in range(10)))
            await postgres.disconnect_all()

    async def test_table_is_cheap_to_write(self, postgres_database: PiccoloDatabase) -> None:
        (table,) = await postgres_database.run(
            "SELECT relpersistence, reloptions FROM pg_class WHERE relname = 'rate_limits'"
        )
        assert tuple(table) == (b"u", ["fillfactor=50"])


class TestOnSqlite:
    async def test_call_is_one_statement_on_a_persistent_connection(self, sqlite_database: PiccoloDatabase) -> None:
        limiter = PiccoloRateLimiter(database=sqlite_database)
        await limiter.hit("a", LIMIT)
        backend = sqlite_database._backend
        assert isinstance(backend, SqliteBackend)
        kept = backend._persistent._current
        assert kept is not None
        asked: list[str] = []
        await kept[0].set_trace_callback(asked.append)
        for _ in range(3):
            await limiter.hit("a", LIMIT)
        assert [statement.split()[0] for statement in asked] == ["WITH"] * 3

    async def test_clock_is_read_while_holding_the_lock(self, sqlite_database: PiccoloDatabase) -> None:
        limiter = PiccoloRateLimiter(database=sqlite_database)
        await limiter.hit("a", LIMIT)

        async def hold() -> float:
            waiting.append(asyncio.create_task(limiter.hit("a", LIMIT)))
            await asyncio.sleep(0.05)  # by then, the call waits for the lock
            return time.time()

        waiting: list[asyncio.Task[LimitState]] = []
        released = await sqlite_database.write(hold)
        await waiting[0]
        ((asked_at,),) = await sqlite_database.run("SELECT asked_at FROM rate_limits")
        assert asked_at >= released * 1_000_000
