"""Parsers for options that several commands share."""

import argparse
import json
import re
from collections.abc import Callable

from polyant.domain.digits import parse_digits

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
        number = parse_digits(text, at_most=len(str(maximum)))
        if number is None or not minimum <= number <= maximum:
            rule = f"must be a whole number from {minimum} to {maximum}"
            raise argparse.ArgumentTypeError(f"{rule}, not {json.dumps(text)}")
        return number

    return parse


def words(text: str) -> tuple[str, ...]:
    """Returns the words of a list that is separated by commas or spaces."""
    return tuple(word for word in re.split(r"[\s,]+", text) if word)
