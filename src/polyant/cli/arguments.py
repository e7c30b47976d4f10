"""Parsers for options that several commands share."""

import argparse
import json
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


def whole_number(minimum: int, maximum: int) -> Callable[[str], int]:
    """Returns a parser of whole numbers; any other text is a usage error that shows it."""

    def parse(text: str) -> int:
        # No longer numbers, because reading one of many digits takes long.
        if text.isascii() and text.isdigit() and len(text) <= len(str(maximum)) and minimum <= int(text) <= maximum:
            return int(text)
        raise argparse.ArgumentTypeError(f"must be a whole number from {minimum} to {maximum}, not {json.dumps(text)}")

    return parse


def words(text: str) -> tuple[str, ...]:
    """Returns the words of a list that is separated by commas or spaces."""
    return tuple(word for word in re.split(r"[\s,]+", text) if word)
