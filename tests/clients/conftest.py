"""All clients that the tests ask for, run once and at the same time."""

import os
from collections.abc import Mapping

import pytest

from clients.page import PAGE, render
from clients.performance import Run, perform
from clients.registry import CLIENTS, WRITES_PAGE
from clients.stage import stage

pytest.register_assert_rewrite("clients.contract")

RUNS = pytest.StashKey[Mapping[str, Run]]()


@pytest.fixture(scope="session")
def runs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Run]:
    """What became of each client that a test is about."""
    wanted = {getattr(getattr(item, "cls", None), "client", None) for item in request.session.items}
    folder = tmp_path_factory.mktemp("clients")
    server = folder / "server"
    server.mkdir()
    with stage(server) as around:
        runs = perform([name for name in CLIENTS if name in wanted], around, folder)
    request.session.stash[RUNS] = runs
    return runs


@pytest.fixture
def run(request: pytest.FixtureRequest, runs: Mapping[str, Run]) -> Run:
    """What became of the client of the test's class; without it the test is skipped, in CI it fails."""
    run = runs[request.cls.client]
    if run.unavailable:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(run.unavailable)
    assert not run.broken, run.broken
    return run


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Writes the page, if that was asked for, all clients ran and all is well."""
    runs = session.stash.get(RUNS, {})
    complete = runs.keys() == CLIENTS.keys() and not any(run.unavailable for run in runs.values())
    if os.environ.get(WRITES_PAGE) and complete and exitstatus == pytest.ExitCode.OK:
        PAGE.write_text(render(runs))
