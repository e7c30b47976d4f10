"""Optimistic locking: a write with If-Match fails if the resource was changed since its ETag was read.

Source: RFC 9110, sections 8.8.3 and 13.1.1.
"""

import re
from typing import Annotated

from litestar.params import HeaderParameter

from polyant.domain.errors import InvalidInputError

_ONE_TAG = r'(?:W/)?"[!#-~\x80-\xff]*"'
_HEADER = rf"[ \t]*(?:\*|{_ONE_TAG}(?:[ \t]*,[ \t]*{_ONE_TAG})*)[ \t]*"

IfMatch = Annotated[
    str | None,
    HeaderParameter(
        name="If-Match",
        description="ETag of the version you read; if the resource has changed since, the request fails with 412",
        schema_extra={"pattern": rf"^{_HEADER}$"},
    ),
]

_STRONG_TAG = re.compile(r'(?<!W/)"([0-9]{1,18})"')


def etag_of(version: int) -> str:
    """Returns the entity tag of a version."""
    return f'"{version}"'


def versions_in(if_match: str | None) -> frozenset[int] | None:
    """Returns the versions that a write accepts, or None if it accepts any.

    Weak tags, and tags that this server never issued, match no version.

    Raises:
        InvalidInputError: The header is neither a list of entity tags nor `*`.
    """
    if if_match is None:
        return None
    if not re.fullmatch(_HEADER, if_match):
        raise InvalidInputError('Expected entity tags such as "3", or * - at `If-Match`')
    return None if if_match.strip() == "*" else frozenset(map(int, _STRONG_TAG.findall(if_match)))
