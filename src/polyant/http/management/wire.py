"""Base structs, paging and parsers shared by all resources of the management API."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, TypeVar

import msgspec
from litestar.params import QueryParameter

from polyant.domain.errors import InvalidInputError, UnknownInstanceError, UnknownUserError
from polyant.domain.instances import Slug, parse_slug
from polyant.domain.users import UserId, parse_user_id

NameT = TypeVar("NameT", bound=str)


class ResponseBody(msgspec.Struct, frozen=True, rename="camel"):
    """The base of response bodies; field names are in camel case on the wire."""


class Body(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """The base of request bodies; unknown fields are rejected, so that a misspelt one isn't ignored."""


class Deleted(ResponseBody, frozen=True, kw_only=True):
    """The confirmation of a deletion."""

    deleted: bool = True


Timestamp = Annotated[datetime, msgspec.Meta(tz=True)]
"""A point in time; in JSON, ISO 8601 in UTC."""

DEFAULT_LIMIT = 50
_MAX_LIMIT = 200
_MAX_OFFSET = 10**9
_MAX_SEARCH_CHARACTERS = 200

MAX_ITEMS = 1_000
"""The maximum number of tools in one request body."""


class Page(ResponseBody, frozen=True, kw_only=True):
    """The base of list responses; each adds a field with the items of the page."""

    total: Annotated[int, msgspec.Meta(description="Number of items on all pages")]
    limit: int
    offset: int


Limit = Annotated[
    int, QueryParameter(name="limit", ge=1, le=_MAX_LIMIT, description="Maximum number of items to return")
]
Offset = Annotated[int, QueryParameter(name="offset", ge=0, le=_MAX_OFFSET, description="Number of items to skip")]


class Paging(msgspec.Struct, frozen=True):
    """The requested page of a list."""

    limit: int
    offset: int

    def of(self, total: int) -> dict[str, int]:
        """Returns the fields of `Page` for a list with `total` items."""
        return {"total": total, "limit": self.limit, "offset": self.offset}


def paging(limit: Limit = DEFAULT_LIMIT, offset: Offset = 0) -> Paging:
    """Returns the page that the query parameters request; Litestar injects it as `paging`."""
    return Paging(limit, offset)


# Litestar decodes the text `null` to None for optional parameters, except for those of type str. So optional
# parameters are strings, and their handlers parse them.
Search = Annotated[
    str,
    QueryParameter(name="search", max_length=_MAX_SEARCH_CHARACTERS, description="Text to search for"),
]


def pattern_schema(pattern: re.Pattern[str]) -> dict[str, object]:
    """Returns the JSON schema of a pattern that the domain enforces with a clearer message."""
    return {"pattern": pattern.pattern.replace(r"\A", "^").replace(r"\Z", "$")}


def values_by_name(pairs: Iterable[tuple[NameT, str]], kind: str) -> dict[NameT, str]:
    """Returns the values of a list by name.

    Args:
        pairs: The names and their values.
        kind: The kind of the named things for the error message, such as "Secret".

    Raises:
        InvalidInputError: A name is given more than once.
    """
    values: dict[NameT, str] = {}
    for name, value in pairs:
        if name in values:
            raise InvalidInputError(f"{kind} {name} is given more than once")
        values[name] = value
    return values


def slug_in(path: str) -> Slug:
    """Returns the slug in a path.

    Raises:
        UnknownInstanceError: The slug is invalid, so no instance can have it.
    """
    try:
        return parse_slug(path)
    except InvalidInputError:
        raise UnknownInstanceError from None


def user_id_in(path: str) -> UserId:
    """Returns the user id in a path.

    Raises:
        UnknownUserError: The id is invalid, so no user can have it.
    """
    try:
        return parse_user_id(path)
    except InvalidInputError:
        raise UnknownUserError from None


def time_in(text: str | None, name: str) -> datetime | None:
    """Returns the time in a query parameter, in UTC, or None if the parameter is missing.

    Args:
        text: The value of the parameter; without an offset, it is in UTC.
        name: The parameter's name for the error message.

    Raises:
        InvalidInputError: The value isn't a time.
    """
    if text is None:
        return None
    try:
        time = msgspec.convert(text, datetime)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (msgspec.ValidationError, OverflowError):
        raise InvalidInputError(f"Expected a time such as 2026-11-22T10:44:00Z - at `{name}`") from None
