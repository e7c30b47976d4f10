"""Decodes the JSON of MCP servers leniently, and within a limit of items."""

import re
from typing import TypeVar

import msgspec

MAX_ITEMS = 1_000
"""The maximum number of items that are read from an array."""

T = TypeVar("T")

_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)
_ABSENT = msgspec.Raw(b"")

# Further items are skipped while the array is read: they are neither stored nor built.
_FirstItems = msgspec.defstruct(
    "_FirstItems", [(f"item_{number}", msgspec.Raw, _ABSENT) for number in range(MAX_ITEMS + 1)], array_like=True
)
_decode_items = msgspec.json.Decoder(_FirstItems).decode


class InvalidJsonError(Exception):
    """The text isn't JSON of the expected type."""


def decode(decoder: msgspec.json.Decoder[T], text: bytes | msgspec.Raw) -> T:
    """Returns the decoded text; invalid characters and lone surrogates become U+FFFD.

    Raises:
        InvalidJsonError: The text isn't JSON of the decoder's type.
    """
    try:
        try:
            return decoder.decode(text)
        except msgspec.ValidationError:
            raise
        except (msgspec.DecodeError, UnicodeError):
            return decoder.decode(_ESCAPE.sub(_valid_escape, bytes(text).decode("utf-8", "replace").encode()))
    except (msgspec.DecodeError, UnicodeError, RecursionError, OverflowError) as error:
        raise InvalidJsonError(str(error)) from None


def items_of(array: msgspec.Raw) -> tuple[list[msgspec.Raw], bool]:
    """Returns the first `MAX_ITEMS` items of a valid JSON array, and whether there are more.

    Raises:
        InvalidJsonError: The value isn't an array.
    """
    try:
        first = _decode_items(array)
    except msgspec.DecodeError as error:
        raise InvalidJsonError(str(error)) from None
    items = [item for item in msgspec.structs.astuple(first) if item is not _ABSENT]
    return items[:MAX_ITEMS], len(items) > MAX_ITEMS


def _valid_escape(escape: re.Match[bytes]) -> bytes:
    return rb"\ufffd" if escape[1] else escape[0]
