"""One notation for SQL of both dialects.

Statements are written for PostgreSQL, with `$1` for parameters, and these words:

- `@now`: the database's time in microseconds since 1970.
- `@array(a, b)`: the values as a JSON array.
- `@texts(1)` and `@numbers(1)`: the rows of a parameter that is a JSON array.
"""

import re
from collections.abc import Mapping
from typing import Any

from polyant.adapters.piccolo.backend import Row, Work

_POSTGRES = (
    (r"@now\b", "floor(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"),
    (r"@array\(", "json_build_array("),
    (r"@texts\((\d+)\)", r"(SELECT jsonb_array_elements_text($\1::jsonb))"),
    (r"@numbers\((\d+)\)", r"(SELECT jsonb_array_elements_text($\1::jsonb)::bigint)"),
)
_SQLITE = (
    (r"@now\b", "microseconds()"),
    (r"@array\(", "json_array("),
    (r"@(texts|numbers)\((\d+)\)", r"(SELECT value FROM json_each(?\2))"),
    (r"\$(\d+)", r"?\1"),
    (r"::\w+(\[\])?", ""),
    (r"\bFOR UPDATE( SKIP LOCKED)?", ""),
    (r"\bgreatest\(", "max("),
    (r"\bleast\(", "min("),
    (r"\bstrpos\(", "instr("),
)


def in_dialects(statement: str) -> Mapping[str, str]:
    """Returns the statement in each dialect, by its name."""
    return {"postgres": _translated(statement, _POSTGRES), "sqlite": _translated(statement, _SQLITE)}


def _translated(statement: str, rules: tuple[tuple[str, str], ...]) -> str:
    for pattern, replacement in rules:
        statement = re.sub(pattern, replacement, statement)
    return statement


class Statements:
    """Statements by name, in the dialect of a database.

    Args:
        dialect: The name of the dialect.
        statements: The statements in the notation of this module; one of only one dialect is a mapping of its own.
    """

    def __init__(self, dialect: str, statements: Mapping[str, str]) -> None:
        self._texts = {name: in_dialects(statement)[dialect] for name, statement in statements.items()}

    def __getitem__(self, name: str) -> str:
        """Returns a statement."""
        return self._texts[name]


def step(statement: str, *arguments: object) -> Work[list[Row]]:
    """Runs one statement of a transaction, with `yield from`, and returns its rows."""
    rows: list[Any] = yield statement, arguments
    return rows
