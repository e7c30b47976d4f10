"""What is noted of one request on its way: for its log line and for the headers of its answer."""

from litestar.types import Scope

from polyant.domain.turn_records import TurnRecord


class RequestRecord:
    """Travels with one request from the edge to the handler and back."""

    __slots__ = ("error", "headers", "hint", "request_id", "shows_hints", "slug", "status", "turn")

    def __init__(self, request_id: str) -> None:
        self.request_id = request_id
        self.headers: list[tuple[bytes, bytes]] = []
        """Headers that the answer gets, whichever it will be."""
        self.slug: str | None = None
        self.status = 0
        self.error: str | None = None
        self.hint: str | None = None
        """The action that the operator can take."""
        self.shows_hints = False
        """Whether the caller may read hints: a manager whose session was recognised."""
        self.turn: TurnRecord | None = None
        """What the turn took and cost that the request ran."""


def record_of(scope: Scope) -> RequestRecord:
    """Returns the record that the edge put into the scope."""
    record = scope["state"]["record"]
    assert isinstance(record, RequestRecord)  # noqa: S101 - narrows what the scope holds as Any
    return record
