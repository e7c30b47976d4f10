"""Finds lone surrogate escapes, which msgspec reports as truncated or malformed JSON."""

import json
import re
from collections.abc import Iterator, Sequence
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
        found = _first_lone_surrogate(json.loads(body))
    except (ValueError, RecursionError):
        return None
    if found is None:
        return None
    escape, path = found
    return f"A lone surrogate is not allowed in text: \\u{ord(escape):04x} is half of a character - at `{path}`"


def _first_lone_surrogate(value: Any) -> tuple[str, str] | None:
    """Returns the first lone surrogate of a decoded value and its JSON path, or None.

    Any client can send a body with millions of values, so the time for each of them matters.
    """
    keys: list[int | str | None] = []
    containers: list[Iterator[tuple[int | str | None, Any]]] = [iter([(None, value)])]
    while containers:
        for key, item in containers[-1]:
            if type(key) is str and (escape := _surrogate_in(key)):
                return escape, _path(keys)
            kind = type(item)  # exact types: isinstance would double the time
            if kind is str:
                if not item.isascii() and (escape := _surrogate_in(item)):
                    return escape, _path([*keys, key])
            elif item and (kind is list or kind is dict):
                keys.append(key)
                containers.append(enumerate(item) if kind is list else iter(item.items()))
                break
        else:
            containers.pop()
            del keys[-1:]
    return None


def _surrogate_in(text: str) -> str:
    found = None if text.isascii() else _SURROGATE.search(text)
    return "" if found is None else found[0]


def _path(keys: Sequence[int | str | None]) -> str:
    return "$" + "".join(map(_segment, keys))


def _segment(key: int | str | None) -> str:
    match key:
        case None:
            return ""  # the whole value
        case int():
            return f"[{key}]"
    return f".{key}" if key.isidentifier() else "[...]"
