"""What all resources of the management API have in common on the wire."""

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


class Answer(msgspec.Struct, frozen=True, rename="camel"):
    """What is answered; names are in camel case."""


class Body(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """What is sent; a name that isn't known is refused, so that no typo passes."""


class Deleted(Answer, frozen=True, kw_only=True):
    """It is gone."""

    deleted: bool = True


Moment = Annotated[datetime, msgspec.Meta(tz=True)]
"""An instant, which JSON has as ISO 8601 in UTC."""

DEFAULT_LIMIT = 50
_MAX_LIMIT = 200
_MAX_OFFSET = 10**9
_MAX_SEARCH_CHARACTERS = 200

MAX_ITEMS = 1_000
"""How many tools one body may name."""


class Page(Answer, frozen=True, kw_only=True):
    """A page of a listing; what is listed comes before these."""

    total: Annotated[int, msgspec.Meta(description="How many there are on all pages")]
    limit: int
    offset: int


Limit = Annotated[int, QueryParameter(name="limit", ge=1, le=_MAX_LIMIT, description="How many to list at most")]
Offset = Annotated[
    int, QueryParameter(name="offset", ge=0, le=_MAX_OFFSET, description="How many to leave out before those")
]


class Paging(msgspec.Struct, frozen=True):
    """Which page of a listing is asked for."""

    limit: int
    offset: int

    def of(self, total: int) -> dict[str, int]:
        """Returns what a page of so many says of itself."""
        return {"total": total, "limit": self.limit, "offset": self.offset}


def paging(limit: Limit = DEFAULT_LIMIT, offset: Offset = 0) -> Paging:
    """Returns the page that the parameters ask for; what handlers get as `paging`."""
    return Paging(limit, offset)


# Where Litestar may read None, it reads it from `null`, too, unless it may read a text: so parameters that may be left
# out are texts, and their handlers make more of them.
Search = Annotated[
    str,
    QueryParameter(name="search", max_length=_MAX_SEARCH_CHARACTERS, description="Part of what is searched for"),
]


def pattern_schema(pattern: re.Pattern[str]) -> dict[str, object]:
    """Returns what a JSON schema says of a pattern that the domain checks itself, with a message of its own."""
    return {"pattern": pattern.pattern.replace(r"\A", "^").replace(r"\Z", "$")}


def values_by_name(pairs: Iterable[tuple[NameT, str]], what: str) -> dict[NameT, str]:
    """Returns the values that a list gives, by their names.

    Raises:
        InvalidInputError: A name is given more than once; `what` says what it names.
    """
    values: dict[NameT, str] = {}
    for name, value in pairs:
        if name in values:
            raise InvalidInputError(f"{what} {name} is given more than once")
        values[name] = value
    return values


def slug_in(path: str) -> Slug:
    """Returns the slug that a path names.

    Raises:
        UnknownInstanceError: Nothing can have that slug.
    """
    try:
        return parse_slug(path)
    except InvalidInputError:
        raise UnknownInstanceError from None


def user_id_in(path: str) -> UserId:
    """Returns the user id that a path names.

    Raises:
        UnknownUserError: Nobody can have that id.
    """
    try:
        return parse_user_id(path)
    except InvalidInputError:
        raise UnknownUserError from None


def moment_in(text: str | None, name: str) -> datetime | None:
    """Returns the moment that the parameter of that name gives, in UTC unless it says otherwise; None without one.

    Raises:
        InvalidInputError: It is none.
    """
    if text is None:
        return None
    try:
        moment = msgspec.convert(text, datetime)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (msgspec.ValidationError, OverflowError):
        raise InvalidInputError(f"Expected a moment such as 2026-11-22T10:44:00Z - at `{name}`") from None
