"""Extracts docstrings, comments, messages and defined names from Python modules."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator

from scripts.prose.texts import Kind, Text

_SEVERAL_WORDS = re.compile(r"[A-Za-z']{2,}[ \n]+[A-Za-z']{2,}")
_SQL = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|CREATE|ALTER|BEGIN|WITH|PRAGMA)\b")


def texts_of_python(source: str, *, messages: bool) -> Iterator[Text]:
    """Yields the texts of a module.

    Args:
        source: The source code of the module.
        messages: Whether to also yield strings that aren't docstrings.
    """
    yield from _comments(source)
    docstrings = set[int]()
    for node in ast.walk(tree := ast.parse(source)):
        yield from _names(node)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            docstrings.add(id(node.value))
            yield Text(Kind.DOCSTRING, node.lineno, node.value.value)
    if messages:
        for line, text in _strings(tree, docstrings):
            if _SEVERAL_WORDS.search(text) and not _SQL.match(text):
                yield Text(Kind.MESSAGE, line, text)


def _comments(source: str) -> Iterator[Text]:
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield Text(Kind.COMMENT, token.start[0], token.string.lstrip("# "))


def _names(node: ast.AST) -> Iterator[Text]:
    match node:
        case ast.ClassDef():
            yield Text(Kind.IDENTIFIER, node.lineno, f"class {node.name}")
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            yield Text(Kind.IDENTIFIER, node.lineno, f"def {node.name}")
        case ast.arg():
            yield Text(Kind.IDENTIFIER, node.lineno, f"name {node.arg}")
        case ast.Name(ctx=ast.Store()):
            yield Text(Kind.IDENTIFIER, node.lineno, f"name {node.id}")
        case ast.Attribute(ctx=ast.Store()):
            yield Text(Kind.IDENTIFIER, node.lineno, f"name {node.attr}")
        case _:
            pass


def _strings(node: ast.AST, docstrings: set[int]) -> Iterator[tuple[int, str]]:
    """Yields each string with its line; the values in an f-string count as one word each."""
    if isinstance(node, ast.JoinedStr):
        parts = [part.value if isinstance(part, ast.Constant) else "value" for part in node.values]
        yield node.lineno, "".join(map(str, parts))
    elif isinstance(node, ast.Constant):
        if isinstance(node.value, str) and id(node) not in docstrings:
            yield node.lineno, node.value
    else:
        for child in ast.iter_child_nodes(node):
            yield from _strings(child, docstrings)
