"""Parsers for options that several commands share."""

import re
from collections.abc import Callable

DEFAULT = "default"
"""The value that resets a number to its default."""


def or_default(kind: Callable[[str], float]) -> Callable[[str], float | str]:
    """Returns a parser that accepts a number or `default`.

    Args:
        kind: Parses the number.
    """

    def number(text: str) -> float | str:
        return text if text == DEFAULT else kind(text)

    return number


def words(text: str) -> tuple[str, ...]:
    """Returns the words of a list that is separated by commas or spaces."""
    return tuple(word for word in re.split(r"[\s,]+", text) if word)
