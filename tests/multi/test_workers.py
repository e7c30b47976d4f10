"""Several workers behave as one server, even if one of them is killed."""

import os
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from support.load import TRUST_ONE_PROXY, new_address, statuses_of_burst
from support.patience import seconds
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
    with serving(tmp_path_factory.mktemp("workers"), "--workers", "2", **TRUST_ONE_PROXY, **database) as server:
        yield server


async def test_workers_share_one_limit(two_workers: Server) -> None:
    server, address = two_workers, new_address()
    workers = ready_workers(server)
    assert await statuses_of_burst(server, each=90, address=address) == {200: 20, 429: 70}
    for worker in workers:
        with only(worker, {*workers}):
            assert await statuses_of_burst(server, each=1, address=address) == {429: 1}


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
