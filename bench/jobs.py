"""What the process that puts load on servers is told, and what it answers: one line of JSON each."""

import msgspec


class Load(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Requests one after another over some connections: a number of them, or as many as fit into the time."""

    port: int
    models: tuple[str, ...] = ()
    """Asked in turn; without any, it is a GET of the path."""
    key: str = ""
    """The Bearer token; `{model}` in it is replaced."""
    headers: dict[str, str] = {}
    """Sent with each request besides the usual ones."""
    path: str = "/v1/chat/completions"
    stream: bool = False
    deltas: int = 0
    """How many an answer has to have; 0 is any number."""
    history: int = 1
    connections: int = 16
    addresses: int = 1_000
    """How many callers there seem to be, by X-Forwarded-For."""
    requests: int = 0
    """How many in all; 0 is as many as fit into the seconds."""
    seconds: float = 0.5
    warm: bool = True
    """Whether each connection is tried with one request before those that count."""


class Hold(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Streams that are opened and kept until `Release`; read at a rate, or as they come."""

    port: int
    model: str
    key: str
    streams: int
    bytes_per_second: int = 0


class Release(msgspec.Struct, frozen=True, tag=True):
    """Closes what is held."""


Job = Load | Hold | Release


class Ready(msgspec.Struct, frozen=True, tag=True):
    """The connections of a `Load` stand; it begins at the next line, whatever that says."""


class Times(msgspec.Struct, frozen=True):
    """Milliseconds."""

    p50: float
    p99: float
    most: float


class Outcome(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What came of a `Load`."""

    requests: int
    failures: int
    """Answers that are not 200, are cut off or don't have their deltas."""
    statuses: dict[str, int]
    deltas: int
    seconds: float
    first_byte: Times | None
    gaps: Times | None


class Held(msgspec.Struct, frozen=True, tag=True):
    """How many streams are open, each with something read from it; after `Release` those that were to the end."""

    streams: int


Line = Ready | Outcome | Held
