"""Programs of the benchmark: pins and error messages, without an installation."""

import json
from pathlib import Path

import pytest

from bench.installs import PINS, engine_at, program


def test_unknown_revision_ends_the_run() -> None:
    with pytest.raises(SystemExit, match="no-such-revision"):
        engine_at("no-such-revision")


def test_missing_program_is_named() -> None:
    with pytest.raises(SystemExit, match="no-such-program is not installed"):
        program("no-such-program")


@pytest.mark.parametrize("folder", [path.parent for path in PINS.glob("*/package.json")], ids=lambda path: path.name)
def test_node_packages_are_pinned_to_the_requested_versions(folder: Path) -> None:
    package = json.loads((folder / "package.json").read_text())
    packages = json.loads((folder / "package-lock.json").read_text())["packages"]
    requested = package["dependencies"] | package.get("overrides", {})
    assert {name: packages[f"node_modules/{name}"]["version"] for name in requested} == requested
    assert [name for name, package in packages.items() if name and "integrity" not in package] == []
