"""The messages to and from the load generator process: one line of JSON each."""

import msgspec


class Load(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Sequential requests over some connections: a fixed number, or as many as fit into the time."""

    port: int
    models: tuple[str, ...] = ()
    """The models to call in turn; if empty, each request is a GET of the path."""
    key: str = ""
    """The Bearer token; `{model}` is replaced by the model's name."""
    headers: dict[str, str] = {}
    """Additional headers of each request."""
    path: str = "/v1/chat/completions"
    stream: bool = False
    deltas: int = 0
    """The required number of deltas per response; 0 allows any number."""
    history: int = 1
    chats: int = 0
    """The number of stored conversations to continue in turn; 0 sends no `chat_id`."""
    deliveries_from: int | None = None
    """If set, each request is a POST of the next delivery to a webhook at the path, from this number on."""
    connections: int = 16
    addresses: int = 1_000
    """The number of simulated caller addresses, sent in X-Forwarded-For."""
    requests: int = 0
    """The total number of requests; 0 sends as many as fit into the seconds."""
    seconds: float = 0.5
    warm: bool = True
    """Whether each connection sends one request before the measurement."""


class Hold(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Streams that are kept open until `Release`, read at a rate or, if that is 0, as fast as they arrive."""

    port: int
    model: str
    key: str
    streams: int
    bytes_per_second: int = 0


class Release(msgspec.Struct, frozen=True, tag=True):
    """Closes the held streams."""


Job = Load | Hold | Release


class Ready(msgspec.Struct, frozen=True, tag=True):
    """All connections of a `Load` are open; the load begins at the next line, whatever its content."""


class Times(msgspec.Struct, frozen=True):
    """Percentiles in milliseconds."""

    p50: float
    p99: float
    maximum: float


class Outcome(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The result of a `Load`."""

    requests: int
    failures: int
    """Responses with another status than 200, incomplete ones, and ones with too few or too many deltas."""
    statuses: dict[str, int]
    deltas: int
    seconds: float
    first_byte: Times | None
    gaps: Times | None


class Held(msgspec.Struct, frozen=True, tag=True):
    """The number of open streams from which something was read; after `Release`, those that stayed open to the end."""

    streams: int


Line = Ready | Outcome | Held
