"""Checks that error messages to callers contain no details meant only for operators."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

import polyant
from polyant.domain import errors

SOURCE = Path(polyant.__file__).parent
NOT_FOR_CALLERS = {"cli", "testing"}
"""Packages whose errors only operators or developers see."""

FOR_OPERATORS = re.compile(r"[A-Z]{2,}_[A-Z]{2,}|\bpolyant [a-z]|(^|\s)--[a-z]|environment")
"""Names of environment variables, commands and options."""

WRITERS = {"_send_error": 3, "_respond": 2, "error_body": 1}
"""Functions that send an error envelope, with the index of their message argument."""


class Message(msgspec.Struct, frozen=True):
    """The message argument of a call; `text` has its literal parts, or is None if it is not a literal."""

    place: str
    name: str
    text: str | None


def sources() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(SOURCE.rglob("*.py")):
        place = path.relative_to(SOURCE)
        if place.parts[0] not in NOT_FOR_CALLERS:
            yield str(place), ast.parse(path.read_text())


def name_of(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else getattr(node, "attr", "")


def literal_of(node: ast.expr) -> str | None:
    match node:
        case ast.Constant(value=str() as text):
            return text
        case ast.JoinedStr():
            return "".join(literal_of(part) or "" for part in node.values)
        case _:
            return None


def derived_from(name: str, trees: list[ast.Module]) -> set[str]:
    """Returns the names of a class and all its subclasses."""
    classes = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    found = {name}
    while more := {each.name for each in classes if found & set(map(name_of, each.bases))} - found:
        found |= more
    return found


def messages_in(place: str, tree: ast.AST, names: set[str]) -> Iterator[Message]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and node.name in names:
            yield from (each for each in messages_in(place, node, {"__init__"}))
        elif isinstance(node, ast.Call) and name_of(node.func) in names:
            name = name_of(node.func)
            if len(node.args) > WRITERS.get(name, 0):
                yield Message(f"{place}:{node.lineno}", name, literal_of(node.args[WRITERS.get(name, 0)]))


def messages_of(kind: str) -> list[Message]:
    """Returns every message of an error class and its subclasses."""
    trees = dict(sources())
    names = derived_from(kind, list(trees.values())) | WRITERS.keys()
    return [each for place, tree in trees.items() for each in messages_in(place, tree, names)]


def test_messages_to_callers_contain_no_operator_details() -> None:
    found = messages_of(errors.PolyantError.__name__)
    assert {"Unknown model", "Server is busy", "request entity too large"} <= {each.text for each in found}
    assert [each for each in found if each.text is not None and FOR_OPERATORS.search(each.text)] == []


def test_unavailable_errors_are_raised_with_literal_messages() -> None:
    """Otherwise the previous test would not see them."""
    written_here = {errors.UnavailableError.__name__, "__init__"}  # other classes define their own messages
    found = [each for each in messages_of(errors.UnavailableError.__name__) if each.name in written_here]
    assert "The master key is not the key that encrypted the stored secrets" in {each.text for each in found}
    assert [each for each in found if each.text is None] == []


@pytest.mark.parametrize(
    "message",
    [
        "Set OPENAI_API_KEY",
        "run polyant migrate",
        "give --workers",
        "not in the server's environment",
    ],
)
def test_operator_details_are_recognised(message: str) -> None:
    assert FOR_OPERATORS.search(message)
