"""Checks package imports, the import contracts, and the naming of ports and adapters."""

import ast
import functools
import importlib
import inspect
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec
import pytest

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src"
DOMAIN = SOURCE / "polyant" / "domain"
PORTS = sorted(path.stem for path in (DOMAIN / "ports").glob("*.py") if path.stem != "__init__")
MAX_METHODS = 6


ALLOWED: Mapping[str, tuple[str, ...]] = {
    "aiohttp": (
        "polyant.adapters.channels",
        "polyant.adapters.llm",
        "polyant.adapters.otel",
        "polyant.adapters.tools",
        "polyant.testing.fake_network",
    ),
    "aiosqlite": ("polyant.adapters.piccolo",),
    "asyncpg": ("polyant.adapters.piccolo",),
    "babel": ("polyant.adapters.system",),
    "cryptography": ("polyant.adapters.crypto",),
    "httpx2": ("polyant.adapters.mcp",),
    "jinja2": ("polyant.http.panel",),
    "litestar": ("polyant.http",),
    "mcp": ("polyant.adapters.mcp", "polyant.testing.mcp_server_main"),
    "msgspec": ("polyant",),
    "opentelemetry": ("polyant.adapters.otel",),
    "piccolo": ("polyant.adapters.piccolo",),
    "polyant.testing": ("polyant.testing",),
    "polyfactory": ("polyant.testing",),
    "prometheus_client": ("polyant.adapters.prometheus", "polyant.http.prometheus"),
    "pydantic": ("polyant.adapters.mcp",),
    "pyromark": ("polyant.adapters.channels.whatsapp",),
    "pypdf": ("polyant.adapters.pdf",),
    "pytest": ("polyant.testing",),
    "starlette": ("polyant.testing.mcp_server_main",),
    "telegramify_markdown": ("polyant.adapters.channels.telegram",),
    "uvicorn": ("polyant.cli", "polyant.http.protocol", "polyant.testing.mcp_server_main"),
    "yaml": ("polyant.adapters.agent_skills",),
    "yarl": ("polyant.adapters.llm", "polyant.adapters.tools", "polyant.testing.fake_network"),
}
"""The modules below which each package may be imported. Unlisted packages may not be imported."""


def is_below(module: str, package: str) -> bool:
    return f"{module}.".startswith(f"{package}.")


@functools.cache
def imports_of(source: Path) -> tuple[tuple[str, str], ...]:
    """Returns each module below the folder with each import, including those in functions and for type checkers."""
    return tuple(_imports_of(source))


def _imports_of(source: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(source.rglob("*.py")):
        parts = path.relative_to(source).with_suffix("").parts
        module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        for node in ast.walk(ast.parse(path.read_text())):
            yield from ((module, name) for name in imported_by(node))


def imported_by(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Import(names=names):
            yield from (alias.name for alias in names)
        case ast.ImportFrom(module=module, names=names, level=level):
            yield from (f"{'.' * level}{module or ''}.{alias.name}" for alias in names)
        case ast.Call(
            func=ast.Name(id="import_module" | "__import__") | ast.Attribute(attr="import_module" | "__import__")
        ):
            literal = [each.value for each in node.args[:1] if isinstance(each, ast.Constant)]
            yield from map(str, literal)


def violations(source: Path) -> list[str]:
    """Returns the forbidden imports of the modules below the folder."""
    return [f"{module} imports {name}" for module, name in imports_of(source) if not may_import(module, name)]


def may_import(module: str, name: str) -> bool:
    if name.startswith("."):
        return False  # ruff forbids relative imports, too
    listed = next((package for package in ALLOWED if is_below(name, package)), None)
    if listed is None:
        return name.partition(".")[0] in {*sys.stdlib_module_names, "polyant"}
    return any(is_below(module, place) for place in ALLOWED[listed])


def test_packages_are_imported_only_where_allowed() -> None:
    assert violations(SOURCE) == []


PURE = frozenset(
    {
        *(
            "abc",
            "asyncio",
            "base64",
            "binascii",
            "codecs",
            "collections",
            "contextlib",
            "datetime",
            "enum",
            "functools",
        ),
        *("hashlib", "hmac", "inspect", "ipaddress", "itertools", "json", "logging", "math", "pathlib", "re", "struct"),
        *("traceback", "types", "typing", "unicodedata", "urllib.parse", "weakref", "zlib"),
    }
)
"""The standard modules that the domain may import: they open no files or sockets, and read no clock or randomness.

asyncio runs the tasks, and `pathlib` describes places; both are only as pure as their use.
"""

CLOCKS = frozenset({"now", "today", "utcnow"})


def impurities(source: Path) -> list[str]:
    """Returns the modules of the domain that import an impure standard module, or read the time from a class."""
    return [
        f"{path.relative_to(source)}:{node.lineno}"
        for path in sorted((source / "polyant" / "domain").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.stmt | ast.expr)
        if any(not is_pure(name) for name in imported_by(node)) or reads_clock(node)
    ]


def is_pure(name: str) -> bool:
    return name.partition(".")[0] not in sys.stdlib_module_names or any(is_below(name, module) for module in PURE)


def reads_clock(node: ast.AST) -> bool:
    match node:
        case ast.Attribute(attr=name, value=ast.Name(id="datetime" | "date")):
            return name in CLOCKS
        case _:
            return False


def test_domain_has_no_io_no_clock_and_no_randomness() -> None:
    assert impurities(SOURCE) == []


@pytest.mark.parametrize(
    "line",
    [
        *("import os", "import random", "from time import monotonic", "import secrets", "import socket", "import uuid"),
        *("import urllib.request", "from subprocess import run", "import_module('sqlite3')", "now = datetime.now(UTC)"),
    ],
)
def test_impure_module_of_the_domain_is_found(tmp_path: Path, line: str) -> None:
    file = tmp_path / "polyant" / "domain" / "users.py"
    file.parent.mkdir(parents=True)
    file.write_text(f"import asyncio\nfrom datetime import UTC, datetime\nfrom urllib.parse import quote\n{line}\n")
    assert impurities(tmp_path) == ["polyant/domain/users.py:4"]


def test_table_lists_only_imported_packages() -> None:
    found = {(package, module) for module, name in imports_of(SOURCE) for package in ALLOWED if is_below(name, package)}
    unused = [
        f"{package} below {place}"
        for package, places in ALLOWED.items()
        for place in places
        if not any(package == imported and is_below(module, place) for imported, module in found)
    ]
    assert unused == []


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("home.py", "import litestar"),
        ("bootstrap.py", "from litestar.types import ASGIApp"),
        ("prepare.py", "import piccolo"),
        ("prepare.py", "def late():\n    import asyncpg.pool"),
        ("wiring.py", "if TYPE_CHECKING:\n    from aiohttp import ClientSession"),
        ("domain/instances.py", "import litestar"),
        ("adapters/memory/store.py", "import aiosqlite"),
        ("adapters/crypto_two/cipher.py", "import cryptography"),
        ("http/sessions.py", "from cryptography.fernet import Fernet"),
        ("adapters/llm/http.py", "from pydantic import BaseModel"),
        ("adapters/llm/http.py", "import_module('mcp.client')"),
        ("adapters/llm/http.py", "importlib.import_module('httpx2')"),
        ("adapters/llm/http.py", "builtins.__import__('httpx2')"),
        ("http/health.py", "import prometheus_client"),
        ("cli/users.py", "from polyant.testing.factories import UserFactory"),
        ("cli/users.py", "from polyant import testing"),
        ("logs.py", "import structlog"),
        ("brand_new/__init__.py", "import requests"),
        ("domain/errors.py", "from . import users"),
        ("domain/errors.py", "from ..http import app"),
    ],
)
def test_forbidden_import_is_found(tmp_path: Path, path: str, line: str) -> None:
    file = tmp_path / "polyant" / path
    file.parent.mkdir(parents=True)
    file.write_text(f"import asyncio\nimport msgspec\nfrom polyant.domain import users\n{line}\n")
    assert len(violations(tmp_path)) == 1


@pytest.fixture
def skeleton(tmp_path: Path) -> Path:
    """A copy of the project with empty modules and the import-linter contracts."""
    for package in ("domain", "http", "testing", "cli", "adapters", "adapters/memory", "adapters/piccolo"):
        (tmp_path / "polyant" / package).mkdir(parents=True)
        (tmp_path / "polyant" / package / "__init__.py").touch()
    for path in SOURCE.glob("polyant/*.py"):
        (tmp_path / "polyant" / path.name).touch()
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


LINT_IMPORTS = "from importlinter.cli import lint_imports_command; lint_imports_command()"


def lint_imports(project: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            sys.executable,
            "-c",
            LINT_IMPORTS,
            "--no-cache",
        ],
        cwd=project,
        env={"PYTHONPATH": str(project), "PATH": os.environ["PATH"], "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_empty_project_keeps_the_layer_contracts(skeleton: Path) -> None:
    done = lint_imports(skeleton)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("path", "line", "message"),
    [
        ("domain/users.py", "import polyant.http", "polyant.domain is not allowed to import polyant.http"),
        ("http/app.py", "import polyant.adapters", "polyant.http is not allowed to import polyant.adapters"),
        ("adapters/llm.py", "import polyant.http", "polyant.adapters is not allowed to import polyant.http"),
        ("settings.py", "import polyant.wiring", "polyant.settings is not allowed to import polyant.wiring"),
        ("container.py", "import polyant.plugins", "polyant.container is not allowed to import polyant.plugins"),
        ("home.py", "import polyant.logs", "polyant.home is not allowed to import polyant.logs"),
        ("adapters/memory/store.py", "import polyant.adapters.piccolo", "adapters.memory is not allowed to import"),
        ("brand_new.py", "import polyant.cli", "brand_new (Since this contract is marked as 'exhaustive'"),
        ("another/__init__.py", "", "another (Since this contract is marked as 'exhaustive'"),
    ],
)
def test_layer_violation_and_module_without_a_layer_are_found(
    skeleton: Path, path: str, line: str, message: str
) -> None:
    file = skeleton / "polyant" / path
    file.parent.mkdir(exist_ok=True)
    file.write_text(f"{line}\n")
    done = lint_imports(skeleton)
    assert done.returncode == 1
    assert message in " ".join(done.stdout.split())


def class_name(stem: str) -> str:
    return stem.title().replace("_", "")


@pytest.mark.parametrize("stem", PORTS)
def test_port_is_a_small_runtime_checkable_protocol_of_abstract_methods(stem: str) -> None:
    port = getattr(importlib.import_module(f"polyant.domain.ports.{stem}"), class_name(stem))
    methods = {name for name, _ in inspect.getmembers(port, inspect.isfunction) if not name.startswith("_")}
    assert port._is_protocol
    assert port._is_runtime_protocol
    assert methods == port.__abstractmethods__
    assert 1 <= len(methods) <= MAX_METHODS


def entry_points() -> list[tuple[str, str]]:
    """Returns the port and the target of each adapter in pyproject.toml."""
    groups: dict[str, dict[str, str]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
    return [
        (group.removeprefix("polyant."), target)
        for group, targets in groups.items()
        if group.startswith("polyant.")
        for target in targets.values()
    ]


@pytest.mark.parametrize(("port", "target"), entry_points())
def test_adapter_is_named_after_its_port_and_its_entry_point_resolves(port: str, target: str) -> None:
    module, _, name = target.partition(":")
    stem = module.rpartition(".")[2]
    assert port in PORTS
    assert module.startswith("polyant.adapters.")
    assert stem == port or stem.endswith(f"_{port}")
    assert name.endswith(class_name(port))
    tree = ast.parse((SOURCE / module.replace(".", "/")).with_suffix(".py").read_text())
    assert name in {node.name for node in tree.body if isinstance(node, ast.ClassDef)}


def test_contracts_of_the_kit_refuse_silent_overrides() -> None:
    trees = [ast.parse(path.read_text()) for path in (SOURCE / "polyant" / "testing").glob("*.py")]
    classes = [node for tree in trees for node in tree.body if isinstance(node, ast.ClassDef)]
    without_base = [node.name for node in classes if node.name.endswith("Contract") and not node.bases]
    assert without_base == ["Contract"]


def test_structs_of_the_domain_are_frozen() -> None:
    """Adapters and observers share them between tasks and threads, and caches return the same one to many callers."""
    modules = [importlib.import_module(f"polyant.domain.{path.stem}") for path in DOMAIN.glob("*.py")]
    structs = {
        struct
        for module in modules
        for struct in vars(module).values()
        if isinstance(struct, type) and issubclass(struct, msgspec.Struct) and struct is not msgspec.Struct
    }
    assert len(structs) > 50
    assert [struct for struct in structs if not struct.__struct_config__.frozen] == []
