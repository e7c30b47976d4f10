"""Whole numbers in texts that come from outside."""


def parse_digits(text: str, *, at_most: int) -> int | None:
    """Returns the number that a text of ASCII digits has, or None for any other text.

    Args:
        text: The text.
        at_most: The maximum number of digits; reading a number of very many takes long.
    """
    return int(text) if text.isascii() and text.isdigit() and len(text) <= at_most else None
