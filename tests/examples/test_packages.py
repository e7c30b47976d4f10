"""Each example is a project of its own: installed next to the built wheel, strictly typed, and green in its folder."""

import os
import shutil
import tomllib
from pathlib import Path

import pytest

from examples.environment import ROOT, Environment
from support.new_packages import give_time

EXAMPLES = sorted(path.parent for path in (ROOT / "examples").glob("*/pyproject.toml"))
MAX_LINES = {"chat_model": 250}
"""The lines of an adapter by port, with docstrings and blank lines; 120 for others."""


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
@pytest.mark.timeout(900)
def test_example_is_typed_and_passes_its_own_tests(environment: Environment, example: Path, tmp_path: Path) -> None:
    if "valkey" in example.name and "CI" not in os.environ and not _has_valkey():
        pytest.skip("valkey-server or redis-server is not installed")
    folder = shutil.copytree(example, tmp_path / example.name)
    environment.run(folder, "mypy")
    environment.run(folder, "pytest", "-q")


def _has_valkey() -> bool:
    return any(map(shutil.which, ("valkey-server", "redis-server")))


@pytest.mark.timeout(900)
def test_examples_are_listed_as_adapters(environment: Environment, tmp_path: Path) -> None:
    listed = environment.run(tmp_path, "polyant", "adapters")
    for example in EXAMPLES:
        points = tomllib.loads((example / "pyproject.toml").read_text())["project"]["entry-points"]
        for group, names in points.items():
            for name in names:
                assert f"{name} " in listed, (group, listed)


@pytest.mark.timeout(900)
def test_new_package_passes_its_checks_as_it_stands(environment: Environment, tmp_path: Path) -> None:
    environment.run(tmp_path, "polyant", "adapters", "new", "rate_limiter", "acme-limits")
    package = tmp_path / "polyant-acme-limits"
    environment.install(package)
    environment.run(package, "mypy")
    environment.run(package, "pytest", "-q")
    listed = environment.run(tmp_path, "polyant", "adapters", RATE_LIMITER="acme-limits")
    assert "POLYANT_ACME_LIMITS_MAX_KEYS" in listed


@pytest.mark.timeout(900)
@pytest.mark.parametrize("port", ["channel", "tool_servers"])
def test_new_package_passes_its_kit_with_shipped_rigs(environment: Environment, tmp_path: Path, port: str) -> None:
    environment.run(tmp_path, "polyant", "adapters", "new", port, "acme")
    package = tmp_path / "polyant-acme"
    give_time(package)
    environment.install(package)
    environment.run(package, "pytest", "-q")


@pytest.mark.timeout(900)
def test_example_on_the_page_installs_as_printed(environment: Environment, printed_example: Path) -> None:
    environment.install(printed_example)
    environment.run(printed_example, "mypy")
    environment.run(printed_example, "pytest", "-q")
    listed = environment.run(printed_example.parent, "polyant", "adapters", RATE_LIMITER="file")
    assert "POLYANT_FILE_PATH" in listed


@pytest.mark.parametrize(
    "module", [path for each in EXAMPLES for path in each.glob("src/*/*.py")], ids=lambda p: p.name
)
def test_adapter_is_short(module: Path) -> None:
    limit = MAX_LINES.get(module.stem, 120)
    assert len(module.read_text().splitlines()) <= limit


def test_supervisor_is_at_most_80_lines() -> None:
    module = ROOT / "examples" / "polyant-langgraph" / "src" / "polyant_langgraph" / "supervisor.py"
    assert len(module.read_text().splitlines()) <= 80


def test_chat_model_is_one_module() -> None:
    """The limit is that of the whole adapter."""
    folder = ROOT / "examples" / "polyant-gemini" / "src" / "polyant_gemini"
    assert {path.name for path in folder.glob("*.py")} == {"__init__.py", "chat_model.py"}


def test_packages_are_pinned() -> None:
    lines = (ROOT / "examples" / "environments" / "examples.txt").read_text().splitlines()
    assert lines
    assert [line for line in lines if "==" not in line] == []


def test_ci_installs_the_server_of_the_limiter() -> None:
    assert "missing+=(redis-server)" in (ROOT / ".ci" / "run").read_text()


def test_program_that_fails_is_shown(environment: Environment, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="no_such_module"):
        environment.run(tmp_path, "python", "-c", "import no_such_module")
