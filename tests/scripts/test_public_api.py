import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from polyant.cli.adapter_templates import TEMPLATES
from polyant.cli.new_adapter import write_package
from scripts import public_api
from scripts.public_api import changed_symbols, public_modules, read_record, signatures_of, unannounced

ROOT = Path(__file__).parent.parent.parent
PUBLIC = public_modules(public_api.PAGE.read_text())
PORTS = [module for module in PUBLIC if module.startswith("polyant.domain.ports.")]

BEFORE = """
LIMIT: int = 7

class Limiter(Protocol):
    size: int = 3

    def __init__(self, *, clock: Clock) -> None: ...

    async def hit(self, key: str, limit: int = 5) -> bool: ...

    def test_hit(self) -> None: ...

    def _private(self) -> None: ...

def parse(text: str) -> Limiter: ...
"""
CHANGELOG = "# Changelog\n\n## [Unreleased]\n\n| `Limiter.hit` | more |\n\n## [0.1.0]\n\n- `parse` is new\n"


def changes(tmp_path: Path, before: str, after: str) -> list[str]:
    """Returns the changed symbols of a module between two sources."""
    found = []
    for text in (before, after):
        (tmp_path / "limits.py").write_text(text)
        found.append(signatures_of(["limits"], tmp_path))
    return changed_symbols(*found)


@pytest.mark.parametrize(
    ("old", "new", "symbol"),
    [
        ("key: str", "key: bytes", "limits:Limiter.hit"),
        ("limit: int = 5", "limit: int", "limits:Limiter.hit"),
        ("async def hit", "def hit", "limits:Limiter.hit"),
        ("def hit", "def count", "limits:Limiter.hit"),
        ("size: int = 3", "size: float = 3", "limits:Limiter.size"),
        ("clock: Clock", "time: Clock", "limits:Limiter.__init__"),
        ("(Protocol)", "", "limits:Limiter"),
        ("-> Limiter", "-> int", "limits:parse"),
        ("LIMIT: int = 7", "", "limits:LIMIT"),
        ("class Limiter", "class _Limiter", "limits:Limiter"),
    ],
)
def test_changed_signature_is_found(tmp_path: Path, old: str, new: str, symbol: str) -> None:
    assert changes(tmp_path, BEFORE, BEFORE.replace(old, new)) == [symbol]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("= 5", "= 6"),
        ("_private", "_other"),
        ("test_hit", "test_other"),
        ("def parse", "def new() -> None: ...\n\ndef parse"),
        ("...", "return None"),
    ],
)
def test_change_that_breaks_no_caller_is_none(tmp_path: Path, old: str, new: str) -> None:
    assert changes(tmp_path, BEFORE, BEFORE.replace(old, new)) == []


@pytest.mark.parametrize(
    ("symbol", "is_named"),
    [
        ("limits:Limiter.hit", True),
        ("limits:Limiter", True),
        ("limits:Limiter.__init__", True),
        ("limits:Other.hit", False),
        ("limits:Limiter.peek", False),
        ("limits:parse", False),  # only an earlier version names it
    ],
)
def test_changelog_names_a_symbol_with_its_class(symbol: str, *, is_named: bool) -> None:
    assert unannounced([symbol], CHANGELOG) == ([] if is_named else [symbol])


def test_changed_public_signatures_are_in_the_changelog() -> None:
    recorded = read_record(public_api.RECORD.read_text())
    changed = changed_symbols(recorded, signatures_of(PUBLIC))
    missing = unannounced(changed, public_api.CHANGELOG.read_text())
    assert missing == [], "name them under [Unreleased] in CHANGELOG.md"


def test_record_has_the_ports_and_their_kits() -> None:
    modules = {symbol.partition(":")[0] for symbol in read_record(public_api.RECORD.read_text())}
    assert {"polyant.domain.ports.rate_limiter", "polyant.testing.rate_limiter"} <= modules


def test_unannounced_change_is_not_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    record = tmp_path / "record.txt"
    record.write_text("polyant.domain.limits:gone_function def() -> None\n")
    monkeypatch.setattr(public_api, "RECORD", record)
    assert public_api.main() == 1
    assert "gone_function has changed" in capsys.readouterr().err
    record.write_text("")
    assert public_api.main() == 0
    assert read_record(record.read_text()) == signatures_of(PUBLIC)


def imports_in(source: str) -> set[str]:
    """Returns Polyant's modules from which a source imports."""
    tree = ast.parse(source)
    found = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
    return {name for name in found if name.startswith("polyant.")}


@pytest.mark.parametrize("module", PORTS)
def test_types_of_a_port_are_public(module: str) -> None:
    path = (ROOT / "src").joinpath(*module.split(".")).with_suffix(".py")
    assert imports_in(path.read_text()) - set(PUBLIC) == set()


def test_examples_use_public_modules_only() -> None:
    files = [*(ROOT / "examples").glob("polyant-*/src/**/*.py"), *(ROOT / "examples").glob("polyant-*/tests/*.py")]
    assert files
    imported = set[str]().union(*(imports_in(path.read_text()) for path in files))
    assert imported - set(PUBLIC) == set()


@pytest.mark.parametrize(
    "page",
    [*(ROOT / "docs").glob("adapters*.md"), *sorted((ROOT / "docs" / "adapters").glob("*.md"))],
    ids=lambda page: page.name,
)
def test_printed_examples_use_public_modules_only(page: Path) -> None:
    blocks = re.findall(r"(?ms)^```python\n(.*?)^```$", page.read_text())
    imported = set[str]().union(*map(imports_in, blocks))
    assert imported - set(PUBLIC) == set()


@pytest.mark.parametrize("port", sorted(TEMPLATES))
def test_new_packages_and_their_tests_use_public_modules_only(port: str, tmp_path: Path) -> None:
    folder = write_package(port, "acme", tmp_path)
    imported = {
        name for path in folder.rglob("*.py") for name in modules_imported_by(path) if name.startswith("polyant.")
    }
    assert imported - {*PUBLIC} == set()


def modules_imported_by(path: Path) -> Iterator[str]:
    """Yields the modules of imports; of `from polyant import llm`, that is `polyant.llm`."""
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module="polyant", names=names):
                yield from (f"polyant.{alias.name}" for alias in names)
            case ast.ImportFrom(module=str(module)):
                yield module
