"""Fixtures for commands: without data, with data, and next to a running server."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from polyant.settings import variables
from support.commands import Polyant
from support.process import Server, run_polyant, serving


@pytest.fixture(autouse=True)
def environ(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """An environment without settings, in an empty folder."""
    for name in (*(variable.name for variable in variables().values()), "OPENAI_API_KEY", "ANTHROPIC_API_KEY", "UV"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return monkeypatch


@pytest.fixture
def polyant(environ: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Polyant:
    return Polyant(environ, capsys)


@pytest.fixture(scope="session")
def fresh_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fresh")
    migrated = run_polyant(folder, "migrate")
    assert migrated.returncode == 0, migrated.stderr
    return folder / ".polyant"


@pytest.fixture
def home(fresh_home: Path, tmp_path: Path) -> Path:
    """A copy of fresh data with the instance `demo-bot`, where commands look for it."""
    return shutil.copytree(fresh_home, tmp_path / ".polyant")


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("beside"), RATE_LIMIT="off") as server:
        yield server


@pytest.fixture
def server(shared_server: Server, environ: pytest.MonkeyPatch) -> Server:
    """A server that shares its data with the commands of the test; each test uses its own instances."""
    environ.chdir(shared_server.folder)
    return shared_server
