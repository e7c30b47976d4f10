"""The pinned versions of the clients, and errors if a client is unavailable."""

import json
import os
from pathlib import Path

import pytest

from clients.environments import NODE, UnavailableError, command_for
from clients.registry import CLIENTS, HERE, WRITES_PAGE

PINS = sorted((HERE / "environments").glob("*.txt"))
HEAVY_PINS = sorted((HERE / "heavy" / "environments").glob("*.txt"))


@pytest.mark.parametrize("pins", [*PINS, *HEAVY_PINS], ids=lambda path: path.stem)
def test_python_packages_are_pinned(pins: Path) -> None:
    lines = pins.read_text().splitlines()
    assert lines
    assert [line for line in lines if "==" not in line] == []


def test_every_environment_exists_and_is_used() -> None:
    used = {client.environment for client in CLIENTS.values()} - {None}
    assert used == {path.stem for path in PINS} == {path.stem for path in (HERE / "environments").glob("*.in")}


def test_node_packages_are_pinned_to_the_locked_versions() -> None:
    locked = json.loads((NODE / "package-lock.json").read_text())["packages"]
    requested = json.loads((NODE / "package.json").read_text())["dependencies"]
    assert requested == {name: locked[f"node_modules/{name}"]["version"] for name in requested}


@pytest.mark.parametrize(("name", "program"), [("openai-node", "node"), ("curl", "curl"), ("browser", "chromium")])
def test_client_with_a_missing_program_is_unavailable(
    name: str, program: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UnavailableError, match=f"{program} is not installed on this machine"):
        command_for(CLIENTS[name])


def test_failed_installation_shows_its_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    uv = tmp_path / "uv"
    uv.write_text("#!/bin/sh\necho 'no network' >&2\nexit 2\n")
    uv.chmod(0o700)
    monkeypatch.setenv("UV", str(uv))
    monkeypatch.setenv("CI", "true")
    monkeypatch.setattr("clients.environments.ENVIRONMENTS", tmp_path / "environments")
    with pytest.raises(UnavailableError, match="uv venv failed: no network"):
        command_for(CLIENTS["llm"])


def test_environments_are_not_installed_by_default(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.delenv(WRITES_PAGE, raising=False)
    monkeypatch.setattr("clients.environments.ENVIRONMENTS", tmp_path)
    with pytest.raises(UnavailableError, match="`just clients` installs it"):
        command_for(CLIENTS["llm"])
    assert [path.name for path in tmp_path.iterdir()] == ["llm.lock"]


def test_installed_environment_is_not_installed_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    installed = tmp_path / "llm" / "installed.txt"
    installed.parent.mkdir()
    installed.write_text((HERE / "environments" / "llm.txt").read_text())
    monkeypatch.setattr("clients.environments.ENVIRONMENTS", tmp_path)
    monkeypatch.setenv("UV", os.devnull)
    assert command_for(CLIENTS["llm"])[0] == str(tmp_path / "llm" / "bin" / "python")
