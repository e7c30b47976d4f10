"""The state of one request: data for its log line, and headers for its response."""

from litestar.types import Scope

from polyant.domain.turn_records import TurnRecord
from polyant.http.error_bodies import ErrorFormat


class RequestRecord:
    """Collects data about one request on its way from the edge to the handler and back."""

    __slots__ = (
        "error",
        "error_format",
        "headers",
        "hint",
        "ignored",
        "request_id",
        "shows_hints",
        "slug",
        "status",
        "turn",
    )

    def __init__(self, request_id: str, *, error_format: ErrorFormat = ErrorFormat.NESTJS) -> None:
        self.request_id = request_id
        self.error_format = error_format
        self.headers: list[tuple[bytes, bytes]] = []
        """Headers to add to the response, on success and on error."""
        self.ignored: tuple[str, ...] = ()
        """The fields of the request that have no effect."""
        self.slug: str | None = None
        self.status = 0
        self.error: str | None = None
        self.hint: str | None = None
        """The action that fixes the error, for the operator."""
        self.shows_hints = False
        """Whether responses may include hints: only if the caller has a valid session."""
        self.turn: TurnRecord | None = None
        """The metrics of the turn that the request ran."""


def record_of(scope: Scope) -> RequestRecord:
    """Returns the record that the edge stored in the scope."""
    record = scope["state"]["record"]
    assert isinstance(record, RequestRecord)  # noqa: S101 - narrows the type from Any
    return record
