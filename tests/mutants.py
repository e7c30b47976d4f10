"""Runs mutation tests: makes small changes to the source and prints those that no test catches.

`just mutants --sample 40 --seed 1` tries a reproducible sample. Each mutant is one change in a copy of `src`. The tests
named after its module run first, then those in the folder of that name, then all tests that start no servers. A mutant
that survives them all is either a gap in the tests or an equivalent change; a person has to decide which.

mutmut and cosmic-ray were considered. Neither takes a seeded sample; mutmut needs one run of the whole suite in one
process under its trampolines, and cosmic-ray runs one fixed test command for every mutant.
"""

import argparse
import ast
import itertools
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from support.patience import seconds

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src"
TESTS = ROOT / "tests"
EXCLUDED = ("testing/", "piccolo_migrations/", "__main__.py")
"""Parts of the package that are not mutated."""
SLOW = ("clients", "e2e", "multi", "bench")
"""Test folders that are skipped, because they start servers and are slow."""
MINUTES = 10
"""The time after which a mutant that makes the tests hang counts as caught."""

COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Eq: "!=",
    ast.NotEq: "==",
    ast.Lt: "<=",
    ast.LtE: "<",
    ast.Gt: ">=",
    ast.GtE: ">",
    ast.Is: "is not",
    ast.IsNot: "is",
    ast.In: "not in",
    ast.NotIn: "in",
}
OPERATORS: dict[type[ast.operator], tuple[str, str]] = {
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "+"),
    ast.FloorDiv: ("//", "*"),
    ast.Div: ("/", "*"),
    ast.Mod: ("%", "*"),
    ast.BitAnd: ("&", "|"),
    ast.BitOr: ("|", "&"),
}


@dataclass(frozen=True)
class Mutant:
    """One change to one file."""

    path: Path
    begin: int
    """The offset of the replaced text, in bytes."""
    end: int
    text: bytes

    def source(self) -> bytes:
        """Returns the file with the change."""
        source = self.path.read_bytes()
        return source[: self.begin] + self.text + source[self.end :]

    def __str__(self) -> str:
        source = self.path.read_bytes()
        line = source.count(b"\n", 0, self.begin) + 1
        before, after = source[self.begin : self.end].decode(), self.text.decode()
        return f"{self.path.relative_to(ROOT)}:{line}: {before!r} -> {after!r}"


class _Finder(ast.NodeVisitor):
    """Collects the mutants of one module."""

    def __init__(self, path: Path) -> None:
        self.found: list[Mutant] = []
        self._path = path
        self._source = path.read_bytes()
        lines = self._source.splitlines(keepends=True)
        self._starts = [0, *itertools.accumulate(map(len, lines))]
        self.visit(ast.parse(self._source))

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:  # annotations are not mutated
            self.visit(node.value)

    def visit_arguments(self, node: ast.arguments) -> None:
        for default in filter(None, [*node.defaults, *node.kw_defaults]):
            self.visit(default)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self.visit(node.args)
        for statement in (*node.decorator_list, *node.body):
            self.visit(statement)

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815 - named by ast

    def visit_If(self, node: ast.If | ast.While | ast.IfExp) -> None:
        if "TYPE_CHECKING" not in ast.unparse(node.test):
            self._replace(node.test, f"not ({self._text(node.test)})")
        self.generic_visit(node)

    visit_While = visit_IfExp = visit_If  # noqa: N815 - named by ast

    def visit_Compare(self, node: ast.Compare) -> None:
        if len(node.ops) == 1:
            self._between(node.left, node.comparators[0], COMPARISONS[type(node.ops[0])])
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        self._between(node.values[0], node.values[1], "or" if isinstance(node.op, ast.And) else "and")
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        if type(node.op) in OPERATORS:
            self._between(node.left, node.right, OPERATORS[type(node.op)][1])
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        if isinstance(node.op, ast.Not):
            self._replace(node, f"bool({self._text(node.operand)})")
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        match node.value:
            case bool():
                self._replace(node, str(not node.value))
            case int() | float():
                self._replace(node, repr(node.value + 1))

    def visit_Return(self, node: ast.Return) -> None:
        if node.value is not None and ast.unparse(node.value) != "None":
            self._replace(node.value, "None")
            self.visit(node.value)

    def visit_Expr(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Call | ast.Await):
            self._replace(node, "pass")
        if not isinstance(node.value, ast.Constant):
            self.visit(node.value)

    def visit_Raise(self, node: ast.Raise) -> None:
        self._replace(node, "pass")

    def visit_Continue(self, node: ast.Continue) -> None:
        self._replace(node, "break")

    def _offset(self, line: int, column: int) -> int:
        return self._starts[line - 1] + column

    def _span(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self._offset(node.lineno, node.col_offset), self._offset(node.end_lineno, node.end_col_offset)

    def _text(self, node: ast.expr) -> str:
        begin, end = self._span(node)
        return self._source[begin:end].decode()

    def _replace(self, node: ast.expr | ast.stmt, text: str) -> None:
        self._add(*self._span(node), text)

    def _between(self, left: ast.expr, right: ast.expr, operator: str) -> None:
        """Replaces the operator between two operands, unless parentheses or comments surround it."""
        begin, end = self._span(left)[1], self._span(right)[0]
        if not set("()#\n") & set(self._source[begin:end].decode()):
            self._add(begin, end, f" {operator} ")

    def _add(self, begin: int, end: int, text: str) -> None:
        mutant = Mutant(self._path, begin, end, text.encode())
        try:
            ast.parse(mutant.source())
        except SyntaxError:  # inside an f-string, before Python 3.12
            return
        self.found.append(mutant)


def mutants() -> Iterator[Mutant]:
    """Yields every possible mutant in a fixed order."""
    for path in sorted((SOURCE / "polyant").rglob("*.py")):
        if not any(part in str(path) for part in EXCLUDED):
            yield from _Finder(path).found


def tests_for(path: Path) -> Iterator[tuple[list[Path], str]]:
    """Yields the tests for a module, those most likely to fail first, with the number of processes to use."""
    inside = path.relative_to(SOURCE / "polyant")
    named = [found for found in TESTS.rglob(f"test_{inside.stem}.py") if found.relative_to(TESTS).parts[0] not in SLOW]
    if named:
        yield named, "0"
    folder = next(folder for folder in (TESTS / inside.parent, *(TESTS / inside.parent).parents) if folder.exists())
    if folder != TESTS:
        yield [folder], "0"
    yield [TESTS], "logical"


def is_noticed(copy: Path, tests: list[Path], processes: str) -> bool:
    """Returns whether the tests fail on a copy of the source."""
    environment = {**os.environ, "PYTHONPATH": str(copy)}
    ignored = (f"--ignore={TESTS / folder}" for folder in SLOW)
    options = ("-x", "-q", "-p", "no:cacheprovider", "-n", processes)
    command: list[str | Path] = [sys.executable, "-m", "pytest", *options, *ignored, *tests]
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, timeout=seconds(60 * MINUTES), check=False
        )
    except subprocess.TimeoutExpired:
        return True
    return done.returncode != 0


def is_caught(mutant: Mutant, copy: Path) -> bool:
    """Returns whether any test catches the change."""
    place = copy / mutant.path.relative_to(SOURCE)
    place.write_bytes(mutant.source())
    try:
        return any(is_noticed(copy, tests, processes) for tests, processes in tests_for(mutant.path))
    finally:
        shutil.copy(mutant.path, place)


def main() -> None:
    """Tries a sample of the mutants and exits with 1 if any survives."""
    parser = argparse.ArgumentParser(prog="just mutants", description=__doc__)
    parser.add_argument("--sample", type=int, default=40, help="the number of mutants to try [40]")
    parser.add_argument("--seed", type=int, default=1, help="the random seed of the sample [1]")
    parser.add_argument("--only", default="", help="a substring of the paths of the modules to mutate")
    arguments = parser.parse_args()
    known = [mutant for mutant in mutants() if arguments.only in str(mutant.path)]
    sample = random.Random(arguments.seed).sample(known, min(arguments.sample, len(known)))  # noqa: S311 - no secret
    survivors = 0
    with tempfile.TemporaryDirectory(prefix="polyant-mutants-") as folder:
        copy = Path(shutil.copytree(SOURCE, Path(folder) / "src"))
        if is_noticed(copy, [TESTS], "logical"):
            parser.exit(2, "The tests fail on unmodified source. Run `just test` first.\n")
        for number, mutant in enumerate(sample, 1):
            began = time.monotonic()
            caught = is_caught(mutant, copy)
            survivors += not caught
            verdict = "caught" if caught else "SURVIVED"
            print(f"{number}/{len(sample)} {verdict} in {time.monotonic() - began:.0f} s  {mutant}", flush=True)
    print(f"{len(sample) - survivors} of {len(sample)} mutants caught ({len(known)} in total)")
    raise SystemExit(1 if survivors else 0)


if __name__ == "__main__":
    main()
