"""Pages of a list, selected by `?page=`."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import msgspec
from litestar import Request

from polyant.domain.digits import parse_digits

ROWS = 25
_MAX_PAGE = 10**6


class Paging(msgspec.Struct, frozen=True, kw_only=True):
    """The requested page of a list."""

    path: str
    number: int
    rows: int = ROWS
    query: Mapping[str, str]
    """The search and the filters, without empty ones."""

    @property
    def offset(self) -> int:
        """The number of rows before the page."""
        return (self.number - 1) * self.rows

    def context(self, shown: int, total: int) -> dict[str, Any]:
        """Returns the template's variables for a page that shows that many of all rows."""
        return {
            "first": self.offset + 1 if shown else 0,
            "last": self.offset + shown,
            "total": total,
            "previous": self._url(self.number - 1) if self.number > 1 else None,
            "following": self._url(self.number + 1) if self.offset + shown < total else None,
        }

    def _url(self, number: int) -> str:
        page = {"page": str(number)} if number > 1 else {}
        query = urlencode({**self.query, **page})
        return f"{self.path}?{query}" if query else self.path


def paging_of(
    request: Request[Any, Any, Any], path: str, query: Mapping[str, str] | None = None, *, rows: int = ROWS
) -> Paging:
    """Returns the page that a request asks for; an invalid number is the first page."""
    number = parse_digits(request.query_params.get("page", ""), at_most=len(str(_MAX_PAGE)))
    return Paging(
        path=path,
        number=min(max(number or 1, 1), _MAX_PAGE),
        rows=rows,
        query={name: value for name, value in (query or {}).items() if value},
    )
