import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyant.adapters.tools.expression import CONSTANTS, FUNCTIONS, MAX_CHARACTERS, MAX_NESTING, parse
from polyant.domain.tools import ToolError

ARITHMETIC = (
    *(ast.BinOp, ast.UnaryOp, ast.Constant, ast.Call, ast.Name, ast.Load, ast.operator, ast.unaryop),
    *(ast.Tuple, ast.Starred, ast.keyword),
)
TRICKS = [
    "__import__('os').system('true')",
    "().__class__",
    "(1).real",
    "1..real",
    "pi.real",
    "[1][0]",
    "{1}",
    "'a' * 10",
    '"a"',
    'f"{1}"',
    "b'a'",
    "lambda: 1",
    "1 if 1 else 2",
    "1if 1else 2",
    "1 and 2",
    "not 1",
    "True",
    "None",
    "...",
    "x := 1",
    "x = 1",
    "1 == 1",
    "1 < 2",
    "1 | 2",
    "~1",
    "1 @ 2",
    "1 << 9999",
    "1j",
    "await pi",
    "yield",
    "max(x=1)",
    "1; 2",
    "1 # 2",
    "1\\\n+1",
    "ⅷ",
    "١+١",  # noqa: RUF001 - non-ASCII digits
    "𝐞",  # noqa: RUF001 - Python normalises this name to e
    "1\0",
    "1_000",
    "\ud800",
]


@pytest.mark.parametrize("text", TRICKS)
def test_non_arithmetic_is_refused(text: str) -> None:
    with pytest.raises(ToolError, match=r"are understood here|is unknown"):
        parse(text)


@pytest.mark.parametrize("text", ["", " ", "1 +", "(1", "1)", "1 2", "* 2", "007", "max(,)", "(" * MAX_NESTING])
def test_incomplete_expression_is_refused(text: str) -> None:
    with pytest.raises(ToolError, match="isn't a complete arithmetic expression"):
        parse(text)


def test_caret_gets_a_hint_about_powers() -> None:
    with pytest.raises(ToolError, match=r"written with \*\*, not with \^"):
        parse("2^3")


def test_unknown_name_gets_a_list_of_the_known_ones() -> None:
    with pytest.raises(ToolError, match=r"'sin' is unknown: use one of abs, .*sqrt, e, pi"):
        parse("sin(1)")


def test_overlong_expression_is_refused_unparsed() -> None:
    with pytest.raises(ToolError, match="too long"):
        parse("(" * (MAX_CHARACTERS + 1))


def test_excessive_parentheses_never_reach_the_python_parser() -> None:
    with pytest.raises(ToolError, match="nested more than"):
        parse("(" * (MAX_NESTING + 1) + "1" + ")" * (MAX_NESTING + 1))


@given(st.text(alphabet="01.eEx+-*/%(), \n\t÷abpimsqrt_'\"[]{}=<>!^&|~:;@#\\", max_size=40))
def test_tree_contains_only_arithmetic(text: str) -> None:
    try:
        tree, source = parse(text)
    except ToolError:
        return
    nodes = list(ast.walk(tree))
    assert all(isinstance(node, ARITHMETIC) for node in nodes)
    assert {node.id for node in nodes if isinstance(node, ast.Name)} <= {*FUNCTIONS, *CONSTANTS}
    assert {type(node.value) for node in nodes if isinstance(node, ast.Constant)} <= {int, float}
    assert tree.end_col_offset is not None
    assert 0 <= tree.col_offset < tree.end_col_offset <= len(source)
