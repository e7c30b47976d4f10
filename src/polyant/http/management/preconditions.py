"""Versions as entity tags: a writer says what it has read, and doesn't overwrite what somebody else wrote since.

Source: RFC 9110, sections 8.8.3 and 13.1.1.
"""

import re
from typing import Annotated

from litestar.params import HeaderParameter

IfMatch = Annotated[
    str | None,
    HeaderParameter(
        name="If-Match",
        description="The ETag that was read: if it is another by now, nothing is changed and the answer is 412",
    ),
]

_TAG = re.compile(r'(?P<weak>W/)?"(?P<text>[^"]*)"')
_MOST_DIGITS = 18


def etag_of(version: int) -> str:
    """Returns the entity tag of a version."""
    return f'"{version}"'


def versions_in(if_match: str | None) -> frozenset[int] | None:
    """Returns the versions that a write may find; None without a condition.

    Weak tags, and tags that we never gave, match nothing.
    """
    if if_match is None or if_match.strip() == "*":
        return None
    tags = (found["text"] for found in _TAG.finditer(if_match) if not found["weak"])
    return frozenset(int(tag) for tag in tags if tag.isascii() and tag.isdigit() and len(tag) <= _MOST_DIGITS)
