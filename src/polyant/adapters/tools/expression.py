"""Parses arithmetic: checks each token before calling Python's parser, and never evaluates Python code."""

import ast
import re

from polyant.domain.tools import ToolError

MAX_CHARACTERS = 1_000
MAX_NESTING = 50

FUNCTIONS = ("abs", "ceil", "floor", "max", "min", "round", "sqrt")
CONSTANTS = ("e", "pi")

_TOKEN = re.compile(
    r"""
      (?:0x[0-9a-f]+ | 0b[01]+ | 0o[0-7]+ | (?:[0-9]+\.?[0-9]* | \.[0-9]+)(?:e[+-]?[0-9]{1,4})?) (?![\w.])
    | (?P<name>[a-z_]\w*)
    | (?P<sign>\*\*|//|[-+*/%(),])
    | [ ]
    """,
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)
_ASCII_OPERATORS = str.maketrans({"×": "*", "·": "*", "÷": "/", "−": "-"})  # noqa: RUF001 - typographic operators
_NESTING_CHANGE = {"(": 1, ")": -1}


def parse(text: str) -> tuple[ast.expr, str]:
    """Returns the expression's syntax tree, and the normalized text that the tree's offsets refer to.

    Python's parser receives only numbers, operators and the names in FUNCTIONS and CONSTANTS. Length and nesting are
    limited, so it can't overflow the stack.

    Raises:
        ToolError: The text isn't arithmetic; the message says what is wrong with it.
    """
    if len(text) > MAX_CHARACTERS:
        raise ToolError(f"The expression is too long: at most {MAX_CHARACTERS} characters. Calculate it in parts")
    source = " ".join(text.translate(_ASCII_OPERATORS).split())
    _check_tokens(source)
    try:
        return ast.parse(source, mode="eval").body, source
    except SyntaxError as error:
        raise ToolError(f"This isn't a complete arithmetic expression: {error.msg}") from None


def _check_tokens(source: str) -> None:
    nesting = position = 0
    while position < len(source):
        token = _TOKEN.match(source, position)
        if token is None:
            raise ToolError(_syntax_error(source, position))
        if (name := token["name"]) and name not in FUNCTIONS + CONSTANTS:
            raise ToolError(f"'{name}' is unknown: use one of {', '.join(FUNCTIONS + CONSTANTS)}")
        nesting += _NESTING_CHANGE.get(token[0], 0)
        if nesting > MAX_NESTING:
            raise ToolError(f"The parentheses are nested more than {MAX_NESTING} deep. Calculate it in parts")
        position = token.end()


def _syntax_error(source: str, position: int) -> str:
    found = source[position:].split(maxsplit=1)[0][:20]
    if found.startswith("^"):
        return "A power is written with **, not with ^"
    return f"Only numbers, + - * / // % ** ( ) and , are understood here, not '{found}'"
