"""Finds lone surrogate escapes, which msgspec reports as truncated or malformed JSON."""

import json
import re
from collections.abc import Iterator
from typing import Any

_ESCAPE = re.compile(rb"\\u[dD][89a-fA-F]")
_SURROGATE = re.compile("[\ud800-\udfff]")


def lone_surrogate_fault(body: bytes) -> str | None:
    r"""Returns the message for the first string with a lone surrogate escape such as `\ud800`.

    Returns:
        The message with the escape and its JSON path; None if there is no such string, or the body isn't JSON.
    """
    if not _ESCAPE.search(body):
        return None
    try:
        value = json.loads(body)
        escape, path = next(_lone_surrogates(value, "$"), (None, ""))
    except (ValueError, RecursionError):
        return None
    if escape is None:
        return None
    return f"A lone surrogate is not allowed in text: \\u{ord(escape):04x} is half of a character - at `{path}`"


def _lone_surrogates(value: Any, path: str) -> Iterator[tuple[str, str]]:
    match value:
        case str():
            yield from ((found[0], path) for found in _SURROGATE.finditer(value))
        case list():
            for index, item in enumerate(value):
                yield from _lone_surrogates(item, f"{path}[{index}]")
        case dict():
            for key, item in value.items():
                yield from _lone_surrogates(key, path)
                yield from _lone_surrogates(item, f"{path}.{key}" if key.isidentifier() else f"{path}[...]")
