"""How options of several commands are read."""

import re
from collections.abc import Callable

DEFAULT = "default"
"""Takes a number back."""


def or_default(kind: Callable[[str], float]) -> Callable[[str], float | str]:
    """Returns what reads a number, or the word that takes it back."""

    def number(text: str) -> float | str:
        return text if text == DEFAULT else kind(text)

    return number


def words(text: str) -> tuple[str, ...]:
    """Returns what stands between commas and spaces."""
    return tuple(word for word in re.split(r"[\s,]+", text) if word)
