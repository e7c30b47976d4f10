"""Finds the small changes to the source that mutation tests try."""

import ast
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
SOURCE = ROOT / "src"
EXCLUDED = ("testing/", "piccolo_migrations/", "__main__.py")
"""Parts of the package that are not mutated."""

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

    @property
    def line(self) -> int:
        return self.path.read_bytes().count(b"\n", 0, self.begin) + 1

    def function(self) -> int | None:
        """Returns the first line of the innermost function that contains the change, or None outside of functions.

        Default values and decorators are outside: they run when the function is defined.
        """
        functions = [
            node
            for node in ast.walk(ast.parse(self.path.read_bytes()))
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            and node.body[0].lineno <= self.line <= (node.end_lineno or 0)
        ]
        if not functions:
            return None
        innermost = max(functions, key=lambda node: node.lineno)
        return min(node.lineno for node in (innermost, *innermost.decorator_list))

    def source(self) -> bytes:
        """Returns the file with the change."""
        source = self.path.read_bytes()
        return source[: self.begin] + self.text + source[self.end :]

    def __str__(self) -> str:
        before, after = self.path.read_bytes()[self.begin : self.end].decode(), self.text.decode()
        return f"{self.path.relative_to(ROOT)}:{self.line}: {before!r} -> {after!r}"


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


def mutants_of(path: Path) -> list[Mutant]:
    """Returns every possible mutant of one module in a fixed order."""
    return _Finder(path).found


def mutants() -> Iterator[Mutant]:
    """Yields every possible mutant of all modules in a fixed order."""
    for path in sorted((SOURCE / "polyant").rglob("*.py")):
        if not any(part in str(path) for part in EXCLUDED):
            yield from mutants_of(path)
