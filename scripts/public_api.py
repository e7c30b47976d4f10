"""The public API: its modules, their signatures, and the changes that the changelog has to name.

`docs/adapters/stability.md` lists the modules, and `docs/adapters/public-api.txt` records the signatures of the last
release. Run `python -m scripts.public_api` to record them for a release. It refuses changes that the changelog doesn't
name.
"""

import ast
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "adapters" / "stability.md"
RECORD = ROOT / "docs" / "adapters" / "public-api.txt"
CHANGELOG = ROOT / "CHANGELOG.md"
SOURCE = ROOT / "src"

_ROW = re.compile(r"(?m)^\| `(polyant[\w.]*(?:\.\*)?)` \|")
_UNRELEASED = re.compile(r"(?ms)^## \[Unreleased\]\n(.*?)(?=^## |\Z)")

Signatures = Mapping[str, str]
"""The signature of each symbol, by `module:name` or `module:Class.name`."""


def public_modules(page: str, source: Path = SOURCE) -> list[str]:
    """Returns the modules that a page lists in a table; `package.*` stands for all modules of a package."""
    modules: set[str] = set()
    for name in _ROW.findall(page):
        if name.endswith(".*"):
            folder = source.joinpath(*name.removesuffix(".*").split("."))
            modules.update(f"{name[:-2]}.{path.stem}" for path in folder.glob("*.py") if path.stem != "__init__")
        else:
            modules.add(name)
    return sorted(modules)


def signatures_of(modules: Iterable[str], source: Path = SOURCE) -> Signatures:
    """Returns the signatures of the public symbols of modules."""
    return {
        f"{module}:{name}": signature
        for module in modules
        for name, signature in _symbols(ast.parse(_file_of(module, source).read_text()).body)
    }


def changed_symbols(recorded: Signatures, current: Signatures) -> list[str]:
    """Returns the recorded symbols that are gone or have another signature; new symbols break nothing.

    Of a class that is gone, only the class itself is returned.
    """
    return [
        symbol
        for symbol, signature in recorded.items()
        if current.get(symbol) != signature and not _is_gone(_class_of(symbol), recorded, current)
    ]


def _class_of(symbol: str) -> str | None:
    """Returns the class that a symbol is a member of, or None."""
    owner, dot, _ = symbol.partition(":")[2].partition(".")
    return f"{symbol.partition(':')[0]}:{owner}" if dot else None


def _is_gone(symbol: str | None, recorded: Signatures, current: Signatures) -> bool:
    return symbol is not None and symbol in recorded and symbol not in current


def unannounced(symbols: Iterable[str], changelog: str) -> list[str]:
    """Returns the symbols that no line about the unreleased version names, with their class if they have one."""
    found = _UNRELEASED.search(changelog)
    lines = found[1].splitlines() if found else []
    return [symbol for symbol in symbols if not any(_is_named(symbol, line) for line in lines)]


def read_record(text: str) -> Signatures:
    """Returns the signatures of a record."""
    return dict(line.split(" ", 1) for line in text.splitlines() if line)


def _is_named(symbol: str, line: str) -> bool:
    names = [name for name in symbol.partition(":")[2].split(".") if name != "__init__"]
    return all(re.search(rf"\b{re.escape(name)}\b", line) for name in names)


def _file_of(module: str, source: Path) -> Path:
    path = source.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _symbols(body: Iterable[ast.stmt]) -> Iterator[tuple[str, str]]:
    for node in body:
        match node:
            case ast.ClassDef(name=name) if _is_public(name):
                bases = ", ".join([*map(ast.unparse, node.bases), *map(ast.unparse, node.keywords)])
                yield name, f"class({bases})"
                yield from ((f"{name}.{member}", signature) for member, signature in _members(node.body))
            case _:
                yield from _members([node])


def _members(body: Iterable[ast.stmt]) -> Iterator[tuple[str, str]]:
    for node in body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) if _is_public(name):
                yield name, _function(node)
            case ast.AnnAssign(target=ast.Name(id=name)) if _is_public(name):
                yield name, f"{ast.unparse(node.annotation)}{' = ...' if node.value else ''}"
            case ast.Assign(targets=[ast.Name(id=name)]) if _is_public(name):
                yield name, "value"


def _is_public(name: str) -> bool:
    """Returns whether a name is public; the tests of a contract aren't called by anyone."""
    return name == "__init__" or not name.startswith(("_", "test_"))


def _function(node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    """Returns the arguments and the result of a function, without the values of defaults."""
    arguments = node.args
    arguments.defaults = [ast.Constant(...) for _ in arguments.defaults]
    arguments.kw_defaults = [ast.Constant(...) if default else None for default in arguments.kw_defaults]
    kind = "async def" if isinstance(node, ast.AsyncFunctionDef) else "def"
    result = ast.unparse(node.returns) if node.returns else "None"
    decorators = [ast.unparse(each) for each in node.decorator_list]
    shown = "property " if "property" in decorators else ""
    return f"{shown}{kind}({ast.unparse(arguments)}) -> {result}"


def main() -> int:
    """Records the current signatures, unless the changelog misses a change."""
    current = signatures_of(public_modules(PAGE.read_text()))
    recorded = read_record(RECORD.read_text()) if RECORD.exists() else {}
    missing = unannounced(changed_symbols(recorded, current), CHANGELOG.read_text())
    for symbol in missing:
        sys.stderr.write(f"{symbol} has changed: name it under [Unreleased] in CHANGELOG.md\n")
    if missing:
        return 1
    RECORD.write_text("".join(f"{symbol} {signature}\n" for symbol, signature in sorted(current.items())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
