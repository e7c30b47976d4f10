"""The HTTP protocol of the server: uvicorn's, with bounds on what a client may send and on how long it may take.

`polyant serve` uses it. On uvicorn's own command line, choose it with `--http polyant.http.protocol:HttpProtocol`.
It builds on uvicorn's internals, so pyproject.toml pins uvicorn to a minor version.
"""

import asyncio
import logging
import secrets
import socket
import sys
from collections.abc import Callable, Iterator
from typing import Any, Literal

from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT, FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from polyant.http.connections import (
    MAX_HEAD_BYTES,
    MAX_HEADER_LINES,
    MAX_PIPELINED_REQUESTS,
    SEND_BUFFER_BYTES,
    overloaded,
    pool_of,
    refusal,
)
from polyant.http.disconnects import EXTENSION
from polyant.http.unread import UnreadWatch

log = logging.getLogger("polyant.access")

_CHUNK_FRAMING_BYTES = 12
"""Bytes of a chunk besides its content and its extensions: the length in hexadecimal digits and two line ends."""
_HEADER_FRAMING_BYTES = 4
"""Bytes of a header line besides its name and value: a colon, a space and a line end."""
_SECONDS_PER_BYTE = 60 / 2**20
_LINGER_SECONDS = 2.0
"""How long a refused client may go on sending. Closing at once would reset the connection and lose the response."""

_LAST_READ_SECONDS = 0.05
"""How long data is still read at the end of the drain time."""

_UPGRADE_HEADERS = frozenset({b"upgrade", b"http2-settings"})

_Phase = Literal["new", "idle", "head", "body", "response"]


class HttpProtocol(HttpToolsProtocol):
    """Serves one connection.

    A request outside its body is bounded by MAX_HEAD_BYTES and MAX_HEADER_LINES (431); the first byte, the headers and
    each piece of the body have to come in time (408); a client that accepts no data is disconnected. Requests that the
    parser refuses get the envelope of all errors (400). Of the requests that a client sends ahead of their responses,
    MAX_PIPELINED_REQUESTS are accepted; the response to the last one closes the connection.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._pool = pool_of(server_state, config.loaded_app, self.loop)
        self._limits = self._pool.limits
        self.timeout_keep_alive = self._limits.keep_alive  # type: ignore[assignment]  # call_later takes a float
        self.url = b""
        self._phase: _Phase = "new"
        self._due: float | None = None
        self._refused = False
        self._fits = True
        self._draining = False
        self._has_unread = False
        self._lines = 0
        self._head_bytes = 0
        self._hosts = 0
        self._overhead = 0
        self._body_bytes = 0
        self._body_bytes_in_data = 0
        self._completed_in_data = False
        self._body_since = 0.0
        self._data = b""
        self._unread: UnreadWatch
        self._queueing: _QueueingFlow
        self._disconnect_callbacks: set[Callable[[], None]] = set()
        self._extensions: dict[str, Any] = {EXTENSION: self.watch_disconnect}
        self._answered: RequestResponseCycle | None = None
        """The request that is being answered; `cycle` is the one that was received last."""

    # What the transport reports

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self.flow = self._queueing = _QueueingFlow(transport, self._is_queue_full)
        _bound_send_buffer(transport)
        now = self.loop.time()
        self._unread = UnreadWatch(transport, now)
        self._due = now + self._limits.request
        self._fits = self._pool.add(self)
        if not self._fits:
            self.app = overloaded(self.app, self._limits.error_format)

    def connection_lost(self, exc: Exception | None) -> None:
        self._pool.discard(self)
        answered = self._answered
        if answered is not None and not answered.response_complete:  # uvicorn marks only the request received last
            answered.disconnected = True
            answered.message_event.set()
        super().connection_lost(exc)
        for callback in tuple(self._disconnect_callbacks):
            callback()
        # Else the connection would refer to itself, and be kept until the garbage collector comes to it.
        self._extensions.clear()
        self._queueing.end()

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        if self._phase in {"new", "idle"}:
            self._begin_head()
        self._body_bytes_in_data, self._completed_in_data = 0, False
        self._data = data
        super().data_received(data)
        self._data = b""
        if self._refused:
            return
        # Whatever follows the end of a request in the same data is counted with the next data: it is bounded, too.
        overhead = 0 if self._completed_in_data else self._overhead + len(data) - self._body_bytes_in_data
        self._overhead = max(0, overhead)
        if self._overhead > MAX_HEAD_BYTES or not self._head_fits:
            self._refuse(431, "Request header fields too large")

    # What the parser reports

    def on_message_begin(self) -> None:
        if self._refused:
            self.url, self.headers = b"", []  # not those of the last accepted request
            return
        super().on_message_begin()
        self.scope["extensions"] = self._extensions
        self._lines = self._head_bytes = self._hosts = self._body_bytes = 0
        if self._phase != "head":
            self._begin_head()
        if len(self.pipeline) >= MAX_PIPELINED_REQUESTS:
            self._refuse(400, "Too many pipelined requests")  # silently, because earlier responses are due

    def on_header(self, name: bytes, value: bytes) -> None:
        self._lines += 1
        self._head_bytes += len(name) + len(value) + _HEADER_FRAMING_BYTES
        if self._phase != "head" or self._lines > MAX_HEADER_LINES:  # trailers are not the application's headers
            return
        name = name.lower()  # from here on as uvicorn does
        if name == b"host":
            self._hosts += 1
        elif name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def on_chunk_header(self) -> None:
        self._body_bytes_in_data += _CHUNK_FRAMING_BYTES

    def on_headers_complete(self) -> None:
        if self._refused or not self._head_fits:
            return  # `data_received` refuses it
        if self.parser.should_upgrade():
            if self.parser.get_method() == b"CONNECT":
                self._refuse(400, "CONNECT is not supported")
            return  # the others are parsed again
        if self._hosts != 1 and (self._hosts or self.parser.get_http_version() != "1.0"):
            self._refuse(400, "A request has exactly one Host header")
            return
        super().on_headers_complete()
        if self.pipeline:
            self.flow.resume_reading()  # uvicorn pauses here; then nobody would notice that the client disconnects
        else:
            self._answered = self.cycle
        self._phase = "body"
        self._body_since = self.loop.time()
        self._due = self._body_since + self._limits.request
        if self._draining or not self._fits:
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        self._body_bytes_in_data += len(body)
        if self._refused or self._phase != "body":
            return
        self._body_bytes += len(body)
        whole = self._body_since + self._limits.request + self._body_bytes * _SECONDS_PER_BYTE
        self._due = min(self.loop.time() + self._limits.request, whole)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._completed_in_data = True
        if self._refused or self._phase != "body":
            return
        self._phase, self._due, self._lines, self._head_bytes = "response", None, 0, 0
        self._pool.work(self)
        super().on_message_complete()
        if self.cycle.response_complete:  # it came before the end of the request
            self._wait_for_request()

    def on_response_complete(self) -> None:
        if self.pipeline:
            self._answered = self.pipeline[-1][0]
        super().on_response_complete()
        if self._phase == "response" and self.cycle.response_complete:
            self._wait_for_request()

    # What the pool asks for

    def check(self, now: float) -> None:
        """Ends the connection if its client is late or takes nothing."""
        if self._has_unread or self._phase not in {"new", "idle"} or self.transport.is_closing():
            self._has_unread = self._unread.poll(now)
            if self._has_unread and now - self._unread.since >= self._limits.stall:
                self.transport.abort()
                return
        if self._due is not None and now >= self._due and not self.flow.read_paused:
            if self._phase == "new":
                self._due = None
                self.transport.close()
            else:
                self._refuse(408, "Request timed out")

    def shutdown(self) -> None:
        """Serves requests for the drain time, each as the last one of its connection."""
        self._draining = True
        cycle: RequestResponseCycle | None = self.cycle  # None until the first request; uvicorn declares it otherwise
        if cycle is not None and not cycle.response_complete:
            cycle.keep_alive = False
        # A process that was stopped in its wait for data runs what is due first, so it looks for data once more.
        self.loop.call_later(self._limits.drain, self.loop.call_later, _LAST_READ_SECONDS, self._end_drain)

    def evict(self) -> None:
        """Closes the connection at once, even if its client hasn't read the last response."""
        self._due = None
        if self.transport.get_write_buffer_size():
            self.transport.abort()  # closing would wait for the client
        else:
            self.transport.close()

    # What the application asks for

    def watch_disconnect(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Calls back when the connection is lost; returns the function that ends the watch.

        A task that waits for the message `http.disconnect` would cost each request several times as much. Once the
        connection is lost, that message is there at once, and the scope no longer offers this extension.
        """
        self._disconnect_callbacks.add(callback)
        return lambda: self._disconnect_callbacks.discard(callback)

    # What uvicorn does differently

    def send_400_response(self, msg: str) -> None:
        """Refuses what the parser refuses."""
        self._refuse(400, msg)

    def _should_upgrade(self) -> bool:
        return False  # no WebSockets are served

    def _unsupported_upgrade_warning(self) -> None:
        """Parses the request again without its wish for another protocol, of which none is served.

        The parser takes what follows the headers for data of the other protocol. But a client such as Java's
        `HttpClient` offers HTTP/2 with each request, and sends the body whatever the server thinks of that.
        """
        if self._refused:
            return
        error = sys.exception()  # in the handler of it
        offset = error.args[0] if error is not None else len(self._data)
        parsed = self.parser
        head = b"%b %b HTTP/%b\r\n" % (parsed.get_method(), self.url, parsed.get_http_version().encode())
        lines = b"".join(b"%b: %b\r\n" % header for header in _without_upgrade(self.headers))
        self._data = b"%b%b\r\n%b" % (head, lines, self._data[offset:])
        self.parser = type(parsed)(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as in uvicorn
        super().data_received(self._data)

    @property
    def _head_fits(self) -> bool:
        return self._lines <= MAX_HEADER_LINES and len(self.url) + self._head_bytes <= MAX_HEAD_BYTES

    def _is_queue_full(self) -> bool:
        """Returns whether a request that waits for earlier responses has a large body: nothing reads it yet."""
        return bool(self.pipeline) and len(self.cycle.body) > HIGH_WATER_LIMIT

    def _end_drain(self) -> None:
        """Closes the connection unless a complete request is being answered."""
        if self.transport.is_closing():
            return
        if self._phase in {"head", "body"}:
            self._refuse(503, "Server is shutting down")
        elif self._phase in {"new", "idle"}:
            self._due = None
            self.transport.close()

    def _begin_head(self) -> None:
        self._phase = "head"
        self._due = self.loop.time() + self._limits.request
        self._pool.begin(self)

    def _wait_for_request(self) -> None:
        self._phase, self._due = "idle", None
        self._has_unread = True
        self._pool.wait(self)

    def _refuse(self, status: int, message: str) -> None:
        """Refuses the request that is being received and closes the connection, after earlier responses."""
        if self._refused:
            return
        self._refused, self._due = True, None
        earlier = self.cycle if self._phase == "head" else None
        if earlier is not None and not earlier.response_complete:
            earlier.keep_alive = False  # its response closes the connection
            self.flow.pause_reading()
            return
        if self._phase == "body":
            unanswered = not self.cycle.response_started and not self.pipeline
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            if not unanswered:
                self.transport.close()
                return
        self._send_refusal(status, message)

    def _send_refusal(self, status: int, message: str) -> None:
        request_id = f"req_{secrets.token_hex(12)}"
        fields = {"status": status, "error": message, "request_id": request_id}
        log.info("request", extra={"fields": fields})
        error_format = self._limits.error_format.at(self.url.decode("latin-1"))
        body, headers = refusal(status, message, request_id=request_id, error_format=error_format)
        every = (*self.server_state.default_headers, *headers, (b"connection", b"close"))
        lines = b"".join(b"%b: %b\r\n" % header for header in every)
        self.transport.write(b"%b%b\r\n%b" % (STATUS_LINE[status], lines, body))
        if self.transport.can_write_eof():
            self.transport.write_eof()
            self.loop.call_later(_LINGER_SECONDS, self.transport.close)
        else:
            self.transport.close()


class _QueueingFlow(FlowControl):
    """Reads on only if there is room in the queue; uvicorn's reads on after each response."""

    def __init__(self, transport: asyncio.Transport, is_full: Callable[[], bool]) -> None:
        super().__init__(transport)
        self._is_full = is_full

    def end(self) -> None:
        """Forgets the connection, which is lost."""
        self._is_full = _is_never_full

    def resume_reading(self) -> None:
        if self.read_paused and not self._is_full():
            super().resume_reading()


def _is_never_full() -> bool:
    return False


def _without_upgrade(headers: list[tuple[bytes, bytes]]) -> Iterator[tuple[bytes, bytes]]:
    """Yields the headers without those that ask for another protocol."""
    for name, value in headers:
        if name == b"connection":
            tokens = [token.strip() for token in value.split(b",")]
            kept = [token for token in tokens if token.lower() not in _UPGRADE_HEADERS]
            if kept:
                yield name, b", ".join(kept)
        elif name not in _UPGRADE_HEADERS:
            yield name, value


def _bound_send_buffer(transport: asyncio.Transport) -> None:
    sock = transport.get_extra_info("socket")
    if sock is not None and sock.family in {socket.AF_INET, socket.AF_INET6}:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
