"""Runs all clients that the selected tests need, once and in parallel."""

import os
from collections.abc import Mapping

import pytest

from clients.harness import client_harness
from clients.page import PAGE, render
from clients.registry import CLIENTS, WRITES_PAGE
from clients.runner import Run, run_clients

pytest.register_assert_rewrite("clients.contract")

RUNS = pytest.StashKey[Mapping[str, Run]]()


@pytest.fixture(scope="session")
def runs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Run]:
    """The run of each client that the selected tests need."""
    selected = {getattr(getattr(item, "cls", None), "client", None) for item in request.session.items}
    folder = tmp_path_factory.mktemp("clients")
    server = folder / "server"
    server.mkdir()
    with client_harness(server) as harness:
        runs = run_clients([name for name in CLIENTS if name in selected], harness, folder)
    request.session.stash[RUNS] = runs
    return runs


@pytest.fixture
def run(request: pytest.FixtureRequest, runs: Mapping[str, Run]) -> Run:
    """The run of the test class's client; if the client is unavailable, the test is skipped, and in CI it fails."""
    run = runs[request.cls.client]
    if run.unavailable:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(run.unavailable)
    assert not run.broken, run.broken
    return run


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Writes the page if that is requested, all clients ran, and all tests passed."""
    runs = session.stash.get(RUNS, {})
    complete = runs.keys() == CLIENTS.keys() and not any(run.unavailable for run in runs.values())
    if os.environ.get(WRITES_PAGE) and complete and exitstatus == pytest.ExitCode.OK:
        PAGE.write_text(render(runs))
