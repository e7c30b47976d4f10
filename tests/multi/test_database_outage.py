"""The effects of a database outage."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from support.load import TRUST_ONE_PROXY, chat
from support.patience import PATIENCE, seconds
from support.postgres import PostgresServer, running_server
from support.process import SECRETS, Server, serving

CALLERS = 8
ENOUGH = 40


@pytest.fixture
def own_server() -> Iterator[PostgresServer]:
    """A PostgreSQL that no other test uses."""
    with running_server() as server:
        yield server


class Load:
    """Callers that send requests in a loop, and the responses."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._news = asyncio.Condition()
        self.answers: list[httpx.Response] = []
        self.longest = 0.0

    async def call(self, client: httpx.AsyncClient) -> None:
        while True:
            began = time.monotonic()
            answer = await chat(client, self._server)
            self.longest = max(self.longest, time.monotonic() - began)
            async with self._news:
                self.answers.append(answer)
                self._news.notify_all()

    async def until(self, condition: Callable[[list[httpx.Response]], bool]) -> list[httpx.Response]:
        """Returns the responses from now on, once they meet the condition."""
        begin = len(self.answers)
        async with asyncio.timeout(PATIENCE), self._news:
            await self._news.wait_for(lambda: condition(self.answers[begin:]))
        return self.answers[begin:]


@asynccontextmanager
async def load_on(server: Server) -> AsyncIterator[Load]:
    load = Load(server)
    async with httpx.AsyncClient(timeout=PATIENCE) as client:
        callers = [asyncio.create_task(load.call(client)) for _ in range(CALLERS)]
        try:
            yield load
        finally:
            for caller in callers:
                caller.cancel()
            await asyncio.gather(*callers, return_exceptions=True)


def enough(status: int) -> Callable[[list[httpx.Response]], bool]:
    """Returns the condition that the last `ENOUGH` responses all have that status."""
    return lambda answers: len(answers) >= ENOUGH and {answer.status_code for answer in answers[-ENOUGH:]} == {status}


async def test_requests_fail_with_503_only_while_the_database_is_down(
    tmp_path: Path, own_server: PostgresServer
) -> None:
    variables = {"DATABASE_URL": own_server.url_of("test"), **SECRETS, **TRUST_ONE_PROXY}
    with serving(tmp_path, **variables) as server:
        async with load_on(server) as load:
            await load.until(enough(200))
            await asyncio.to_thread(own_server.stop)
            refused = (await load.until(enough(503)))[-1]
            await asyncio.to_thread(own_server.start)
            await load.until(enough(200))
            assert {answer.status_code for answer in await load.until(enough(200))} == {200}
        assert {answer.status_code for answer in load.answers} == {200, 503}
        assert refused.json()["message"] == "The database is unavailable"
        assert refused.headers["Retry-After"] == "1"
        assert load.longest < seconds(5)
        assert "Traceback" not in server.stderr.text


async def test_calls_are_not_limited_while_the_limiter_is_down_if_it_fails_open(
    tmp_path: Path, own_server: PostgresServer
) -> None:
    """Only the limiter uses the database here, because instances can't be read while the database is down."""
    alone = {"INSTANCE_REPO": "memory", "KEY_CHECK": "memory", "RATE_LIMIT": "1/3600", "RATE_LIMIT_FAIL": "open"}
    variables = {"DATABASE_URL": own_server.url_of("test"), **SECRETS, **alone}
    with serving(tmp_path, **variables) as server:
        async with httpx.AsyncClient(timeout=PATIENCE) as client:
            assert [(await chat(client, server)).status_code for _ in range(2)] == [200, 429]
            await asyncio.to_thread(own_server.stop)
            uncounted = [await chat(client, server) for _ in range(2)]
    assert [answer.status_code for answer in uncounted] == [200, 200]
    assert [name for answer in uncounted for name in answer.headers if name.startswith("x-ratelimit")] == []
    assert server.stderr.text.count("calls uncounted so far") == 1
