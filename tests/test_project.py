"""Checks the project's own files: forbidden names, required explanations, and consistency."""

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()

REGISTRIES = [
    ".".join(labels)
    for labels in (
        ("pypi", "org"),
        ("files", "pythonhosted", "org"),
        ("registry", "npmjs", "org"),
        ("deb", "debian", "org"),
    )
]


def output_of(*command: str | Path) -> str:
    return subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout


def names(requirements: Iterable[str]) -> list[str]:
    """Returns the package names of the requirements."""
    return [found[0] for requirement in requirements if (found := re.match(r"[A-Za-z0-9._-]+", requirement))]


EXTRAS = names(chain.from_iterable(PYPROJECT["project"]["optional-dependencies"].values()))
RUNTIME = names(PYPROJECT["project"]["dependencies"]) + EXTRAS
GROUPS = names(chain.from_iterable(PYPROJECT["dependency-groups"].values()))
DEVELOPMENT = [name for name in GROUPS if name != "polyant"]  # with its extras
BUILD = names(PYPROJECT["build-system"]["requires"])


@pytest.mark.parametrize("host", REGISTRIES)
def test_committed_files_name_no_registry_host(host: str) -> None:
    files = output_of("git", "ls-files", "--cached", "--others", "--exclude-standard", "-z").split("\0")
    there = [ROOT / name for name in files if name and (ROOT / name).is_file()]
    assert there
    assert [path for path in there if host.encode() in path.read_bytes()] == []


def test_exactly_the_dependencies_are_explained() -> None:
    explained = re.findall(r"(?m)^- `([a-z0-9-]+)` ", CONTRIBUTING.partition("## Dependencies")[2])
    assert sorted(explained) == sorted(RUNTIME + DEVELOPMENT + BUILD)


def test_versions_of_all_direct_dependencies_are_pinned() -> None:
    pins = PYPROJECT["tool"]["uv"]["constraint-dependencies"]
    assert set(RUNTIME + DEVELOPMENT) <= set(names(pins))
    assert [pin for pin in pins if not is_exact(pin)] == []


def test_build_dependencies_are_pinned() -> None:
    pins = PYPROJECT["tool"]["uv"]["build-constraint-dependencies"]
    assert set(BUILD) < set(names(pins))
    assert [pin for pin in pins if not is_exact(pin)] == []


def is_exact(pin: str) -> bool:
    return re.fullmatch(r"[a-z0-9.-]+==[0-9][a-z0-9.]*( ; .+)?", pin) is not None


@pytest.mark.parametrize("pin", ["a>=1", "a==1.*", "a==1,<2", "a", "a~=1.0", "a @ https://host.example/a.whl"])
def test_version_range_is_not_a_pin(pin: str) -> None:
    assert not is_exact(pin)


@pytest.fixture
def recipes() -> set[str]:
    return set(output_of(Path(sys.executable).with_name("just"), "--summary").split())


def test_contributing_explains_exactly_the_recipes(recipes: set[str]) -> None:
    assert set(re.findall(r"(?m)^\| `just ([a-z-]+)", CONTRIBUTING)) == recipes


def test_hooks_call_recipes(recipes: set[str]) -> None:
    called = re.findall(r"entry: (.+)", (ROOT / ".pre-commit-config.yaml").read_text())
    assert called
    assert [entry for entry in called if entry.removeprefix("uv run just ") not in recipes] == []


def test_ci_runs_the_lint_recipe_and_the_test_command_of_the_readme() -> None:
    script = ROOT / ".ci" / "run"
    readme_test = re.search(r"(?m)^Run the tests:\n\n```sh\n(.+)\n```$", (ROOT / "README.md").read_text())
    assert readme_test
    assert os.access(script, os.X_OK)
    assert {"uv run just lint", readme_test[1]} <= set(script.read_text().splitlines())
