"""The connections of one server: their limits, the order in which they wait, and the check for stalled ones."""

import asyncio
import resource
import secrets
import sys
from collections import OrderedDict
from typing import Any, Protocol

import msgspec
from litestar.types import ASGIApp, Receive, Scope, Send

from polyant.http import defaults
from polyant.http.error_bodies import ErrorFormat, error_body, in_format
from polyant.http.file_limit import FileLimitWatch

MAX_HEAD_BYTES = 64 * 1024
"""Bytes of a request outside its body: request line, headers, trailers and chunk extensions together."""
MAX_HEADER_LINES = 200
MAX_PIPELINED_REQUESTS = 100
"""Requests of one connection that may wait for earlier responses."""
SEND_BUFFER_BYTES = 64 * 1024
"""The kernel's send buffer of a connection. With the default of several MiB a stalled client would show only late."""

_MAX_CONNECTIONS = 10_000
_RESERVED_FILES = 100
_HEALTH = "/health"
_PROTOCOL_MODULE = "polyant.http.protocol"


def default_max_connections() -> int:
    """Returns how many connections fit into the limit of open files: each may need another one to a provider."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return _MAX_CONNECTIONS
    return max(1, min(_MAX_CONNECTIONS, (soft - _RESERVED_FILES) // 2))


class ConnectionLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How long a client may take, and how many connections there may be; times in seconds.

    Args:
        request: For the first byte, for the headers, and for each further piece of a body. A whole body has that long
            and a minute more for each MiB received.
        stall: How long a client may take nothing of what is sent to it.
        keep_alive: How long an idle connection stays open after a response.
        drain: How long requests on open connections are still answered when the server stops.
        max_connections: How many connections one worker keeps; None chooses by the limit of open files.
        error_format: The format of errors under /v1 that don't come from the application.
    """

    request: float = defaults.REQUEST_SECONDS
    stall: float = defaults.STALL_SECONDS
    keep_alive: float = defaults.KEEP_ALIVE_SECONDS
    drain: float = defaults.DRAIN_SECONDS
    max_connections: int | None = None
    error_format: ErrorFormat = ErrorFormat.NESTJS


class Connection(Protocol):
    """A connection, as its pool sees it."""

    def check(self, now: float) -> None:
        """Ends the connection if its client is late or takes nothing; `now` is the loop's time."""

    def evict(self) -> None:
        """Closes the connection at once; it waits for a complete request."""


class ConnectionPool:
    """Counts the connections of one server and checks them once in a while.

    A connection waits from its start, and from the end of each response, until a complete request has arrived.
    """

    def __init__(self, limits: ConnectionLimits, loop: asyncio.AbstractEventLoop) -> None:
        self.limits = limits
        self._loop = loop
        self._max = limits.max_connections or default_max_connections()
        self._interval = min(1.0, limits.request / 4, limits.stall / 4)
        self._open: set[Connection] = set()
        self._waiting: OrderedDict[Connection, None] = OrderedDict()
        self._timer: asyncio.TimerHandle | None = None
        self._files = FileLimitWatch()

    def add(self, connection: Connection) -> bool:
        """Adds a connection that waits for its first request, and returns whether there is room for it.

        If the pool is full, the connection that has waited longest for a complete request is closed for the new one.
        """
        fits = len(self._open) < self._max
        if not fits and self._waiting:
            longest, _ = self._waiting.popitem(last=False)
            self._open.discard(longest)
            longest.evict()
            fits = True
        self._open.add(connection)
        self._waiting[connection] = None
        if self._timer is None:
            self._timer = self._loop.call_later(self._interval, self._check)
        return fits

    def discard(self, connection: Connection) -> None:
        """Forgets a connection that is closed."""
        self._open.discard(connection)
        self._waiting.pop(connection, None)

    def wait(self, connection: Connection) -> None:
        """Notes that a connection waits for a request from now on."""
        self._waiting[connection] = None

    def begin(self, connection: Connection) -> None:
        """Notes that a connection that waits begins to send a request: its wait begins again."""
        if connection in self._waiting:
            self._waiting.move_to_end(connection)

    def work(self, connection: Connection) -> None:
        """Notes that a connection has sent a complete request."""
        self._waiting.pop(connection, None)

    def _check(self) -> None:
        now = self._loop.time()
        self._files.check(now, connections=len(self._open))
        for connection in tuple(self._open):
            connection.check(now)
        self._timer = self._loop.call_later(self._interval, self._check) if self._open else None


def refusal(
    status: int, message: str, *, request_id: str, error_format: ErrorFormat
) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """Returns the body and the headers of an error response that doesn't come from the application."""
    body = msgspec.json.encode(in_format(error_body(status, message), error_format))
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"x-request-id", request_id.encode()),
        (b"x-content-type-options", b"nosniff"),
    ]
    return body, headers


def overloaded(app: ASGIApp, error_format: ErrorFormat) -> ASGIApp:
    """Returns an application that passes only health checks on and refuses everything else."""

    async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"].startswith(_HEALTH):
            await app(scope, receive, send)
            return
        request_id, own_format = f"req_{secrets.token_hex(12)}", error_format.at(scope["path"])
        body, headers = refusal(503, "Server is busy", request_id=request_id, error_format=own_format)
        await send({"type": "http.response.start", "status": 503, "headers": [*headers, (b"retry-after", b"1")]})
        await send({"type": "http.response.body", "body": body, "more_body": False})

    return refuse


def is_protocol_in_use() -> bool:
    """Returns whether the server was started with the protocol that keeps these limits."""
    return _PROTOCOL_MODULE in sys.modules


def pool_of(server_state: Any, app: Any, loop: asyncio.AbstractEventLoop) -> ConnectionPool:
    """Returns the pool of a server, with the limits that its application carries as `connection_limits`."""
    pool = getattr(server_state, "polyant_connections", None)
    if pool is None:
        pool = server_state.polyant_connections = ConnectionPool(_limits_of(app), loop)
    assert isinstance(pool, ConnectionPool)  # noqa: S101 - narrows Any
    return pool


def _limits_of(app: Any) -> ConnectionLimits:
    while app is not None:
        limits = getattr(app, "connection_limits", None)
        if isinstance(limits, ConnectionLimits):
            return limits
        app = getattr(app, "app", None)  # a middleware of the server around it
    return ConnectionLimits()
