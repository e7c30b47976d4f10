"""The outermost ASGI layer, which applies to every request."""

import logging
import re
import secrets
import time
from collections.abc import Awaitable
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import Any

import msgspec
from litestar.types import ASGIApp, Message, Receive, Send

from polyant.domain.turn_records import TurnRecord
from polyant.http.content_encoding import decode_content
from polyant.http.cors import Cors
from polyant.http.error_bodies import ErrorFormat, error_body, in_format
from polyant.http.errors import path_of
from polyant.http.metrics import Metrics
from polyant.http.record import RequestRecord, record_of

log = logging.getLogger("polyant.access")

_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_HOST = re.compile(r"\A(?:\[([0-9a-f:.]+)\]|([^:\[\]]+))(?::[0-9]*)?\Z")
_VALID_ID = re.compile(rb"\A[A-Za-z0-9._:/+=@-]{1,128}\Z")


class Edge:
    """Adds a request id, a log line and the common response headers; rejects unknown hosts and handles CORS.

    It wraps the whole application because Litestar's middleware doesn't see unknown paths and wrong methods.

    Args:
        app: The wrapped application.
        cors: Creates the CORS headers.
        allowed_hosts: Host names accepted on a loopback address, in addition to localhost.
        metrics: Counts the requests.
        max_body_bytes: The application's limit for a request body.
        error_format: The format of errors under /v1.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        cors: Cors,
        allowed_hosts: tuple[str, ...],
        metrics: Metrics,
        max_body_bytes: int,
        error_format: ErrorFormat,
    ) -> None:
        self._app = app
        self._max_body_bytes = max_body_bytes
        self._error_format = error_format
        self._metrics = metrics
        self._cors = cors
        self._hosts = _LOCAL_NAMES | set(allowed_hosts)

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Handles one connection."""
        if scope["type"] == "http":
            await self._handle(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000, "reason": "not served"})
        else:
            await self._app(scope, receive, send)

    async def _handle(self, scope: Any, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        headers = dict(scope["headers"])
        record = RequestRecord(_request_id(headers), error_format=self._error_format.at(scope["path"]))
        common = self._common_headers(record, scope["path"], headers)

        def send_edge(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                record.status = record.status or message["status"]
                message["headers"] = [*message["headers"], *record.headers, *common]
            return send(message)

        inner = {**scope, "state": {"record": record}}
        try:
            await self._dispatch(inner, headers, receive, send_edge)
        finally:
            seconds = time.perf_counter() - started
            _log(scope, record, seconds)
            route = inner.get("path_template", "")  # set by Litestar; missing for an unknown path
            self._metrics.request(method=scope["method"], route=route, status=record.status, seconds=seconds)

    async def _dispatch(self, scope: Any, headers: dict[bytes, bytes], receive: Receive, send: Send) -> None:
        if not self._is_served(scope, headers):
            await self._refuse_host(scope, send)
        elif scope["method"] == "OPTIONS":
            preflight = self._cors.preflight(scope["path"], headers)
            if preflight is None:
                await _send_error(scope, send, 404, f"Cannot OPTIONS {path_of(scope)}")
            else:
                await _send(send, 204, preflight, b"")
        else:
            if scope["method"] == "HEAD":
                scope["method"] = "GET"  # the server omits the body itself
            if b"content-encoding" in headers:
                receive = decode_content(scope, receive, max_body_bytes=self._max_body_bytes)
            await self._app(scope, receive, send)

    @staticmethod
    async def _refuse_host(scope: Any, send: Send) -> None:
        record = record_of(scope)
        record.error, record.hint = "This server does not answer to that Host", "Add the host name to ALLOWED_HOSTS"
        await _send_error(scope, send, 403, record.error)

    def _is_served(self, scope: Any, headers: dict[bytes, bytes]) -> bool:
        """Returns whether the Host header is accepted; on a loopback address, this check stops DNS rebinding."""
        if "*" in self._hosts or not is_local(scope.get("server")):
            return True
        host = headers.get(b"host", b"").decode("latin-1").lower()
        name = _name_of(host)
        return not host or name in self._hosts or is_loopback(name)  # a rebound name is never an address

    def _common_headers(
        self, record: RequestRecord, path: str, headers: dict[bytes, bytes]
    ) -> list[tuple[bytes, bytes]]:
        return [
            (b"x-request-id", record.request_id.encode()),
            (b"x-content-type-options", b"nosniff"),
            *self._cors.headers(path, headers),
        ]


def _request_id(headers: dict[bytes, bytes]) -> str:
    given = headers.get(b"x-request-id", b"")
    return given.decode() if _VALID_ID.match(given) else f"req_{secrets.token_hex(12)}"


def is_local(server: tuple[str, int | None] | None) -> bool:
    """Returns whether a request reached the server at a loopback address, given the scope's `server`."""
    return server is not None and server[1] is not None and is_loopback(server[0])


@lru_cache(maxsize=64)
def is_loopback(host: str) -> bool:
    """Returns whether a host name or address is a loopback address, or the name of one."""
    if host == "localhost":
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    if isinstance(address, IPv6Address):
        address = address.ipv4_mapped or address  # a dual-stack socket reports IPv4 addresses in this form
    return address.is_loopback


def _name_of(host: str) -> str:
    """Returns the host without its port and brackets; empty if it is malformed."""
    match = _HOST.match(host)
    return "" if match is None else match[1] or match[2]


def _log(scope: Any, record: RequestRecord, seconds: float) -> None:
    fields = {
        "method": scope["method"],
        "path": path_of(scope),
        "status": record.status,
        "ms": round(seconds * 1_000, 1),
        "slug": record.slug,
        "error": record.error,
        "request_id": record.request_id,
    }
    if record.hint is not None:
        fields["hint"] = record.hint
    if record.ignored:
        fields["ignored"] = ",".join(record.ignored)
    if record.turn is not None:
        fields |= _fields_of(record.turn)
    log.info("request", extra={"fields": fields})


def _fields_of(turn: TurnRecord) -> dict[str, object]:
    return {
        "outcome": turn.outcome,
        "first_token_ms": turn.first_token_milliseconds,
        "steps": turn.steps,
        "tool_calls": turn.tool_calls,
        "prompt_tokens": turn.prompt_tokens,
        "completion_tokens": turn.completion_tokens,
    }


async def _send_error(scope: Any, send: Send, status: int, message: str) -> None:
    body = msgspec.json.encode(in_format(error_body(status, message), record_of(scope).error_format))
    await _send(send, status, [(b"content-type", b"application/json")], body)


async def _send(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    length = [] if status == 204 else [(b"content-length", b"%d" % len(body))]  # noqa: PLR2004 - 204 No Content
    await send({"type": "http.response.start", "status": status, "headers": [*headers, *length]})
    await send({"type": "http.response.body", "body": body, "more_body": False})
