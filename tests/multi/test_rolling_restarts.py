"""Restarts of one host after the other behind nginx, with the configuration that is shipped."""

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import httpx
import pytest

from support.patience import PATIENCE
from support.process import Server, eventually, serving
from support.proxies import free_ports, nginx_proxying, requires

BODY = {"model": "demo-bot", "messages": [{"role": "user", "content": "Hello!"}]}
CALLERS = 4
SECONDS_BETWEEN_CALLS = 0.05

pytestmark = requires("nginx")


class Host:
    """A server that restarts on the same port."""

    def __init__(self, folder: Path, port: int, variables: dict[str, str], *, workers: int) -> None:
        folder.mkdir()
        self.port = port
        self._folder, self._variables, self._workers = folder, variables, workers
        self._running = ExitStack()
        self._server: Server

    def start(self) -> None:
        options = ("--port", str(self.port), "--workers", str(self._workers))
        self._server = self._running.enter_context(serving(self._folder, *options, **self._variables))

    def restart(self) -> None:
        """Returns once the server is back."""
        assert self._server.stop() in {0, -signal.SIGTERM}
        self.start()

    def stop(self) -> None:
        self._running.close()


@pytest.fixture(params=[1, 2], ids=lambda workers: f"{workers}-workers")
def hosts(request: pytest.FixtureRequest, on_postgres: dict[str, str], tmp_path: Path) -> Iterator[list[Host]]:
    """Two hosts with one database."""
    variables = {**on_postgres, "RATE_LIMIT": "off", "TRUST_PROXY": "1"}
    hosts = [Host(tmp_path / str(port), port, variables, workers=request.param) for port in free_ports(2)]
    try:
        for host in hosts:
            host.start()
        yield hosts
    finally:
        for host in hosts:
            host.stop()


@pytest.fixture
def proxy(hosts: list[Host], tmp_path: Path) -> Iterator[str]:
    """The URL of nginx in front of the hosts."""
    with nginx_proxying(tmp_path / "nginx", [host.port for host in hosts]) as url:
        yield url


async def test_rolling_restarts_fail_no_call(proxy: str, hosts: list[Host]) -> None:
    async with light_load(proxy) as outcomes:
        for host in (*hosts, *hosts):
            await asyncio.to_thread(host.restart)
            await more_calls(outcomes)
    assert outcomes.keys() == {"200"}


async def more_calls(outcomes: Counter[str]) -> None:
    """Returns once every caller may have ended another call."""
    enough = outcomes.total() + 2 * CALLERS
    await asyncio.to_thread(eventually, lambda: outcomes.total() > enough, expected=True)


@asynccontextmanager
async def light_load(proxy: str) -> AsyncIterator[Counter[str]]:
    """Calls the hosts through the proxy until the end of the block, and yields the growing count of outcomes."""
    outcomes: Counter[str] = Counter()
    ended = asyncio.Event()

    async def call_repeatedly(client: httpx.AsyncClient, *, stream: bool) -> None:
        while not ended.is_set():
            response = await client.post(f"{proxy}/v1/chat/completions", json={**BODY, "stream": stream})
            complete = not stream or response.text.endswith("data: [DONE]\n\n")
            outcomes["200" if response.is_success and complete else f"{response.status_code}: {response.text}"] += 1
            await asyncio.sleep(SECONDS_BETWEEN_CALLS)

    async with httpx.AsyncClient(timeout=PATIENCE) as client, asyncio.TaskGroup() as callers:
        for number in range(CALLERS):
            callers.create_task(call_repeatedly(client, stream=number % 2 == 0))
        try:
            yield outcomes
        finally:
            ended.set()
