import asyncio
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import pytest
from polyant_valkey.rate_limiter import ValkeyRateLimiter, ValkeySettings
from valkey.asyncio import Valkey
from valkey_server import ValkeyServer

from polyant.domain.errors import UnavailableError
from polyant.domain.limits import RateLimit
from polyant.domain.ports.rate_limiter import RateLimiter
from polyant.testing.rate_limiter import RateLimiterContract, RateLimiterOutageContract, SharedLimiterRig

AGE = """
for _, key in ipairs(redis.call('KEYS', '*')) do
  local members = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')
  redis.call('DEL', key)
  local last = 0
  for index = 1, #members, 2 do
    local at, gone = members[index] - ARGV[1], members[index + 1] - ARGV[1]
    redis.call('ZADD', key, string.format('%.0f', gone), string.format('%.0f', at))
    last = math.max(last, gone)
  end
  redis.call('PEXPIREAT', key, string.format('%.0f', math.ceil(last / 1000)))
end
"""


@asynccontextmanager
async def open_limiter(url: str) -> AsyncIterator[RateLimiter]:
    async with ValkeyRateLimiter(store=ValkeySettings(url=url, timeout_seconds=30)) as limiter:
        yield limiter


class ValkeyRig(SharedLimiterRig):
    """Ages the log on the server instead of waiting."""

    def __init__(self, limiter: RateLimiter, client: Valkey, url: str) -> None:
        self.limiter = limiter
        self._client = client
        self.opener = partial(open_limiter, url)

    async def advance(self, seconds: float) -> None:
        await self._client.register_script(AGE)(args=[round(seconds * 1_000_000)])

    async def held_keys(self) -> int:
        await asyncio.sleep(0.01)  # the server keeps keys for a whole number of milliseconds
        return len(await self._client.keys())  # without those that have expired


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    server = ValkeyServer(tmp_path_factory.mktemp("valkey"))
    server.start()
    yield server
    server.kill()


class TestValkeyRateLimiter(RateLimiterContract, RateLimiterOutageContract):
    @pytest.fixture
    async def rig(self, server: ValkeyServer) -> AsyncIterator[ValkeyRig]:
        client = Valkey.from_url(server.url)
        await client.flushall()
        async with open_limiter(server.url) as limiter:
            yield ValkeyRig(limiter, client, server.url)
        await client.aclose()

    @pytest.fixture
    async def unavailable(self) -> AsyncIterator[RateLimiter]:
        async with open_limiter("redis://127.0.0.1:1/0") as limiter:
            yield limiter


async def test_health_says_whether_the_server_responds(server: ValkeyServer) -> None:
    async with ValkeyRateLimiter(store=ValkeySettings(url=server.url)) as limiter:
        await limiter.health()
    async with ValkeyRateLimiter(store=ValkeySettings(url="redis://127.0.0.1:1/0")) as limiter:
        with pytest.raises(UnavailableError):
            await limiter.health()


def passed(url: str, calls: int, limit: RateLimit) -> int:
    """Returns how many concurrent calls of one process passed."""

    async def call() -> int:
        async with open_limiter(url) as limiter:
            states = await asyncio.gather(*(limiter.hit("client", limit) for _ in range(calls)))
        return sum(state.allowed for state in states)

    return asyncio.run(call())


def test_limit_is_exact_in_four_processes_and_after_a_restart(tmp_path: Path) -> None:
    limit, server = RateLimit(50, 3_600), ValkeyServer(tmp_path)
    server.start()
    try:
        with ProcessPoolExecutor(4, mp_context=get_context("spawn")) as processes:
            first = list(processes.map(passed, [server.url] * 4, [10] * 4, [limit] * 4))
            server.kill()
            server.start()
            second = list(processes.map(passed, [server.url] * 4, [10] * 4, [limit] * 4))
    finally:
        server.kill()
    assert (sum(first), sum(second)) == (40, 10)
