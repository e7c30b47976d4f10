"""Several workers behave as one server, even if one of them is killed."""

import asyncio
import os
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from support.load import TRUST_ONE_PROXY, new_address, statuses_of_burst
from support.management import PASSWORD
from support.patience import PATIENCE, seconds
from support.process import SERVE, Server, eventually, serving, starting, uvicorn_serving


@contextmanager
def only(worker: int, workers: set[int]) -> Iterator[None]:
    """Stops all workers except for one, for less time than their parent's health-check timeout."""
    others = workers - {worker}
    for other in others:
        _signal(other, signal.SIGSTOP)
    try:
        yield
    finally:
        for other in others:
            _signal(other, signal.SIGCONT)


def _signal(worker: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):  # on a busy machine it may miss the health check and be replaced
        os.kill(worker, number)


def ready_workers(server: Server) -> list[int]:
    """Returns the sorted process ids of the two workers, once both respond."""
    ready: list[int] = []

    def are_ready() -> bool:
        workers = server.workers()
        ready[:] = sorted(workers)
        return len(ready) == 2 and all(_answers(server, each, workers) for each in ready)

    eventually(are_ready, expected=True)
    return ready


def _answers(server: Server, worker: int, workers: set[int]) -> bool:
    with only(worker, workers), suppress(httpx.TransportError):
        return httpx.get(f"{server.url}/health", timeout=min(seconds(0.5), 2)).is_success
    return False


def statuses_of_requests(server: Server) -> set[int]:
    """Returns the statuses of several sequential requests, each on a new connection."""
    return {httpx.get(f"{server.url}/health/ready").status_code for _ in range(20)}


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def two_workers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    database = request.getfixturevalue("on_postgres") if request.param == "postgres" else {}
    variables = {**TRUST_ONE_PROXY, **database, "INITIAL_ADMIN_PASSWORD": PASSWORD}
    with serving(tmp_path_factory.mktemp("workers"), "--workers", "2", **variables) as server:
        yield server


async def test_workers_share_one_limit(two_workers: Server) -> None:
    server, address = two_workers, new_address()
    workers = ready_workers(server)
    assert await statuses_of_burst(server, each=90, address=address) == {200: 20, 429: 70}
    for worker in workers:
        with only(worker, {*workers}):
            assert await statuses_of_burst(server, each=1, address=address) == {429: 1}


@pytest.fixture(scope="module")
def issued_key(two_workers: Server) -> str:
    """An API key of `demo-bot`, which stays open."""
    api = f"{two_workers.url}/api"
    logged_in = httpx.post(f"{api}/auth/login", json={"email": "admin@localhost", "password": PASSWORD})
    headers = {"Authorization": f"Bearer {logged_in.json()['token']}"}
    issued = httpx.post(f"{api}/instances/demo-bot/keys", json={"keepOpen": True}, headers=headers)
    return str(issued.json()["key"])


async def statuses(server: Server, *requests: httpx.Request) -> list[int]:
    """Returns the sorted statuses of concurrent requests, each on a connection of its own."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    async with httpx.AsyncClient(limits=limits, timeout=PATIENCE) as client:
        return sorted(response.status_code for response in await asyncio.gather(*map(client.send, requests)))


def login(server: Server, email: str, address: str, password: str = "wrong") -> httpx.Request:
    body = {"email": email, "password": password}
    return httpx.Request("POST", f"{server.url}/api/auth/login", json=body, headers={"X-Forwarded-For": address})


def models(server: Server, key: str, address: str) -> httpx.Request:
    headers = {"X-Forwarded-For": address, "Authorization": f"Bearer {key}"}
    return httpx.Request("GET", f"{server.base_url}/models", headers=headers)


async def test_workers_share_the_limit_of_failed_credentials(two_workers: Server, issued_key: str) -> None:
    server, address = two_workers, new_address()
    workers = ready_workers(server)
    for _ in range(3):
        assert await statuses(server, *(models(server, "wrong", address) for _ in range(10))) == [401] * 10
    for worker in workers:
        with only(worker, {*workers}):
            assert await statuses(server, models(server, issued_key, address)) == [429]
            assert await statuses(server, models(server, issued_key, new_address())) == [200]


async def test_sessions_are_accepted_by_every_worker_over_the_limit_of_failed_credentials(two_workers: Server) -> None:
    server, address = two_workers, new_address()
    workers = ready_workers(server)
    valid, ended = session(server), session(server)
    log_out = httpx.Request("POST", f"{server.url}/api/auth/logout", headers={"Authorization": f"Bearer {ended}"})
    assert await statuses(server, log_out) == [200]
    for _ in range(3):
        assert await statuses(server, *(models(server, "wrong", address) for _ in range(10))) == [401] * 10
    for worker in workers:
        with only(worker, {*workers}):
            for credential, status in (("wrong", 429), (valid, 200), (ended, 401), (f"{valid}x", 429)):
                assert await statuses(server, models(server, credential, address)) == [status]


def session(server: Server) -> str:
    """Returns the token of a new session."""
    body = {"email": "admin@localhost", "password": PASSWORD}
    headers = {"X-Forwarded-For": new_address()}
    response = httpx.post(f"{server.url}/api/auth/login", json=body, headers=headers, timeout=PATIENCE)
    return str(response.json()["token"])


async def test_workers_share_the_limits_of_logins(two_workers: Server) -> None:
    server, address, email = two_workers, new_address(), f"{new_address()}@example.com"
    ready_workers(server)
    attempts = [login(server, email, address) for _ in range(15)]
    assert await statuses(server, *attempts) == [401] * 5 + [429] * 10
    other_accounts = [login(server, f"{new_address()}@example.com", address) for _ in range(15)]
    assert await statuses(server, *other_accounts) == [401] * 5 + [429] * 10
    found = []
    for _ in range(6):  # a slow machine would refuse more logins at once because of the queue, and count none of them
        found += await statuses(server, *(login(server, email, new_address()) for _ in range(5)))
    assert sorted(found) == [401] * 25 + [429] * 5


async def test_workers_share_the_networks_that_logged_in(two_workers: Server) -> None:
    server, home, email = two_workers, new_address(), "admin@localhost"
    workers = ready_workers(server)
    with only(workers[0], {*workers}):
        assert await statuses(server, login(server, email, home, PASSWORD)) == [200]
    for _ in range(7):
        await statuses(server, *(login(server, email, new_address()) for _ in range(5)))
    with only(workers[1], {*workers}):
        assert await statuses(server, login(server, email, new_address(), PASSWORD)) == [429]
        assert await statuses(server, login(server, email, home, PASSWORD)) == [200]


@pytest.mark.parametrize("start, shared", [(serving, 0), (uvicorn_serving, 1)])
async def test_limit_is_shared_by_default_if_there_can_be_several_workers(
    tmp_path: Path, start: Callable[[Path], AbstractContextManager[Server]], shared: int
) -> None:
    with start(tmp_path) as server:
        assert await statuses_of_burst(server, each=2) == {200: 2}
    with closing(sqlite3.connect(tmp_path / ".polyant/polyant.db")) as database:
        assert database.execute("SELECT count(*) FROM rate_limits").fetchone() == (shared,)


def test_killed_worker_is_replaced_and_others_keep_serving(tmp_path: Path) -> None:
    with serving(tmp_path, "--workers", "2") as server:
        stays, goes = ready_workers(server)
        assert statuses_of_requests(server) == {200}
        os.kill(goes, signal.SIGKILL)
        assert statuses_of_requests(server) == {200}
        eventually(lambda: goes in server.workers(), False)
        after = ready_workers(server)
    assert stays in after
    assert goes not in after


def test_workers_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    """Also checks that the workers have the highest file limit that the system allows."""
    few_files = ("sh", "-c", 'ulimit -S -n 256; exec "$@"', "sh")
    with starting(tmp_path, (*few_files, *SERVE, "--workers", "2")) as server:
        server.url = server.stdout.wait_for(r"Base URL +(\S+)/v1")[1]
        for worker in ready_workers(server):
            limits = Path(f"/proc/{worker}/limits").read_text().partition("Max open files")[2].split()
            assert limits[0] == limits[1] != "256"
        assert server.stop(signal.SIGKILL) == -signal.SIGKILL  # returns when the last process has ended
