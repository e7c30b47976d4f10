"""Arithmetic as text: checked sign by sign before Python's parser sees it, and never evaluated by Python."""

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
_TYPOGRAPHY = str.maketrans({"×": "*", "·": "*", "÷": "/", "−": "-"})  # noqa: RUF001 - the signs as people write them
_NEST = {"(": 1, ")": -1}


def parse(text: str) -> tuple[ast.expr, str]:
    """Returns the expression's syntax tree, and the text that the tree's offsets count in.

    Python's parser is given nothing but numbers, arithmetic signs and the names in FUNCTIONS and CONSTANTS, of bounded
    length and nesting: neither can it run out of stack, nor is there any other syntax to be found.

    Raises:
        ToolError: It isn't arithmetic; the message says what is wrong with it.
    """
    if len(text) > MAX_CHARACTERS:
        raise ToolError(f"The expression is too long: at most {MAX_CHARACTERS} characters. Calculate it in parts")
    source = " ".join(text.translate(_TYPOGRAPHY).split())
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
            raise ToolError(_unreadable(source, position))
        if (name := token["name"]) and name not in FUNCTIONS + CONSTANTS:
            raise ToolError(f"'{name}' is unknown: there are {', '.join(FUNCTIONS + CONSTANTS)}")
        nesting += _NEST.get(token[0], 0)
        if nesting > MAX_NESTING:
            raise ToolError(f"The parentheses are nested more than {MAX_NESTING} deep. Calculate it in parts")
        position = token.end()


def _unreadable(source: str, position: int) -> str:
    found = source[position:].split(maxsplit=1)[0][:20]
    if found.startswith("^"):
        return "A power is written with **, not with ^"
    return f"Only numbers, + - * / // % ** ( ) and , are understood here; what can't be read is '{found}'"
