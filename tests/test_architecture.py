"""What import-linter can't say: what the domain may import, and that names lead from a port to its adapters."""

import ast
import importlib
import inspect
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src"
DOMAIN = SOURCE / "polyant" / "domain"
PORTS = sorted(path.stem for path in (DOMAIN / "ports").glob("*.py") if path.stem != "__init__")
MOST_METHODS = 6


def imported_modules(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")


def may_be_imported_by_the_domain(module: str) -> bool:
    top = module.partition(".")[0]
    return top in sys.stdlib_module_names or top == "msgspec" or f"{module}.".startswith("polyant.domain.")


@pytest.mark.parametrize("path", sorted(DOMAIN.rglob("*.py")), ids=lambda path: str(path.relative_to(DOMAIN)))
def test_domain_imports_only_the_standard_library_and_msgspec(path: Path) -> None:
    assert [module for module in imported_modules(path) if not may_be_imported_by_the_domain(module)] == []


@pytest.mark.parametrize("module", ["litestar", "polyant.http", "polyant.domains", ".access", ".", "msgspec2"])
def test_the_rule_for_the_domain_refuses_everything_else(module: str) -> None:
    assert not may_be_imported_by_the_domain(module)


def class_name(stem: str) -> str:
    return stem.title().replace("_", "")


@pytest.mark.parametrize("stem", PORTS)
def test_port_is_a_small_runtime_checkable_protocol_of_abstract_methods(stem: str) -> None:
    port = getattr(importlib.import_module(f"polyant.domain.ports.{stem}"), class_name(stem))
    methods = {name for name, _ in inspect.getmembers(port, inspect.isfunction) if not name.startswith("_")}
    assert port._is_protocol
    assert port._is_runtime_protocol
    assert methods == port.__abstractmethods__
    assert 1 <= len(methods) <= MOST_METHODS


def entry_points() -> list[tuple[str, str]]:
    """Returns the port and the target of each adapter that pyproject.toml names."""
    groups: dict[str, dict[str, str]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
    return [
        (group.removeprefix("polyant."), target)
        for group, targets in groups.items()
        if group.startswith("polyant.")
        for target in targets.values()
    ]


@pytest.mark.parametrize(("port", "target"), entry_points())
def test_adapter_is_named_after_its_port_and_stands_where_its_entry_point_says(port: str, target: str) -> None:
    module, _, name = target.partition(":")
    stem = module.rpartition(".")[2]
    assert port in PORTS
    assert module.startswith("polyant.adapters.")
    assert stem == port or stem.endswith(f"_{port}")
    assert name.endswith(class_name(port))
    tree = ast.parse((SOURCE / module.replace(".", "/")).with_suffix(".py").read_text())
    assert name in {node.name for node in tree.body if isinstance(node, ast.ClassDef)}
