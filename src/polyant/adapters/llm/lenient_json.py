"""Decodes the JSON of providers, including text that strict decoders reject."""

import json
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

import msgspec

_SCAN = json.JSONDecoder(strict=False).raw_decode
_ENCODE = msgspec.json.Encoder().encode
_SPACE: Any = re.compile(r"\s*").match  # it always matches
_MAX_VALUES = 100
"""The values in a row that are read as the arguments of one call: no server that works sends more."""


def loads(data: bytes) -> Any:
    r"""Returns the decoded JSON; a surrogate without its other half, such as `\ud83d`, stays in the text.

    Invalid UTF-8 is replaced with U+FFFD.

    Raises:
        ValueError: The data isn't JSON.
        RecursionError: It is nested too deeply.
    """
    try:
        text = data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        text = data.decode("utf-8", "replace")
    return json.loads(text, strict=False)


def joined(text: str) -> str:
    """Returns the text with surrogate pairs joined to characters, and each remaining surrogate replaced by U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def dumps(value: Any) -> str:
    """Returns a decoded value as JSON text that any server can read."""
    try:
        return _ENCODE(value).decode()
    except UnicodeEncodeError:
        return joined(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def is_object(text: str) -> bool:
    """Returns whether the text is a complete JSON object."""
    try:
        msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return False
    return True


def as_arguments(text: str) -> str:
    """Returns the text of a tool call's arguments as a JSON object where it can be read as one, else unchanged.

    Some servers send no text, null, `""` or `[]` for a call without arguments, `{}` before the arguments, the same
    arguments twice, or the object as a JSON string. A surrogate without its other half becomes U+FFFD.
    """
    text = joined(text)
    if is_object(text):
        return text
    if not text.strip():
        return "{}"
    try:
        values = list(islice(_values_in(text), _MAX_VALUES + 1))
    except (ValueError, RecursionError):
        return text
    if len(values) == 1 and isinstance(values[0], str):
        inner = as_arguments(values[0])
        return inner if is_object(inner) else text
    values = [{} if value is None or value == [] else value for value in values]
    objects = [value for value in values if isinstance(value, dict)]
    if len(values) > _MAX_VALUES or len(objects) < len(values):
        return text
    return dumps(next((value for value in reversed(objects) if value), {}))


def _values_in(text: str) -> Iterator[Any]:
    """Yields the values of a text that consists of one JSON value after another."""
    at = _SPACE(text).end()
    while at < len(text):
        value, at = _SCAN(text, at)
        yield value
        at = _SPACE(text, at).end()
