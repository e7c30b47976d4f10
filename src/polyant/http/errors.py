"""Maps errors to HTTP responses with the same body on every route."""

import http
import logging
import re
from typing import Any

from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException

from polyant.domain.errors import (
    AuthenticationError,
    ConflictError,
    InvalidInputError,
    NotFoundError,
    PermissionDeniedError,
    PolyantError,
    PreconditionFailedError,
    ProviderError,
    ProviderFailure,
    RateLimitedError,
    TurnTimeoutError,
    UnavailableError,
    UnknownModelError,
)
from polyant.domain.media.sizes import MediaTooLargeError
from polyant.domain.running_turns import CallerGoneError
from polyant.http.error_bodies import ErrorBody, error_body, in_format
from polyant.http.record import RequestRecord, record_of

log = logging.getLogger("polyant.http")

_SIZE_HINT = "MAX_BODY_BYTES limits the whole body, images included"

CLIENT_CLOSED_REQUEST = 499
"""The logged status of a request whose client disconnected before the response; it is never sent."""

_STATUS: tuple[tuple[type[PolyantError], int], ...] = (
    (MediaTooLargeError, 413),
    (InvalidInputError, 400),
    (AuthenticationError, 401),
    (PermissionDeniedError, 403),
    (NotFoundError, 404),
    (ConflictError, 409),
    (PreconditionFailedError, 412),
    (RateLimitedError, 429),
    (ProviderError, 502),
    (TurnTimeoutError, 504),
    (UnavailableError, 503),
)


def status_of(error: PolyantError) -> int:
    """Returns the HTTP status for a domain error; 500 if it has none of its own."""
    if isinstance(error, ProviderError) and error.kind is ProviderFailure.TIMEOUT:
        return 504
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


def body_of(error: Exception, record: RequestRecord) -> ErrorBody:
    """Returns the body for an error and records the error for the request's log line.

    The message includes the hint only for callers who may read it. An unexpected error is logged with its traceback,
    and its body contains no details.
    """
    if isinstance(error, PolyantError):
        status = status_of(error)
        if status != http.HTTPStatus.INTERNAL_SERVER_ERROR:
            record.error, record.hint = error.message, error.hint
            return error_body(status, error.explanation if record.shows_hints else error.message)
    log.error("unexpected failure", exc_info=error, extra={"fields": {"request_id": record.request_id}})
    record.error = type(error).__name__
    return error_body(500, "Internal server error")


def handle_domain_error(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """Returns the response for a domain error or an unexpected error."""
    record = record_of(request.scope)
    body = body_of(error, record)
    formatted = in_format(body, record.error_format, is_unknown_model=isinstance(error, UnknownModelError))
    headers = {}
    retry_after = error.retry_after if isinstance(error, PolyantError) else None
    if retry_after is not None:
        headers["Retry-After"] = str(retry_after)
    if isinstance(error, ProviderError | TurnTimeoutError):
        # The turn has already been retried; the official clients would multiply these retries.
        headers["x-should-retry"] = "false"
    return Response(formatted, status_code=body.statusCode, headers=headers, media_type="application/json")


def handle_http_exception(request: Request[Any, Any, Any], error: HTTPException) -> Response[Any]:
    """Returns the response for Litestar's own errors: unknown paths, wrong methods and bodies that are too large."""
    status = error.status_code
    if status in {404, 405}:
        return _respond(request, 404, f"Cannot {request.scope['method']} {path_of(request.scope)}")
    if status == http.HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return _respond(request, 413, "request entity too large", hint=_SIZE_HINT)
    if status >= http.HTTPStatus.INTERNAL_SERVER_ERROR:
        return handle_domain_error(request, error)
    return _respond(request, status, _fault_in(error) if isinstance(error, ValidationException) else error.detail)


def handle_caller_gone(_request: Request[Any, Any, Any], _: CallerGoneError) -> Response[None]:
    """Ends a request whose client has disconnected."""
    return Response(None, status_code=CLIENT_CLOSED_REQUEST)


def path_of(scope: Any) -> str:
    """Returns the path as sent: percent-encoded and without the query."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    return raw.decode("ascii", "backslashreplace")


def _fault_in(error: ValidationException) -> str:
    """Returns the message for an invalid parameter, with the parameter's name."""
    faults: Any = error.extra
    fault = faults[0]
    if fault.get("key") == "data":
        return "The body is empty: send a JSON object"
    name = re.sub("_(.)", lambda found: found[1].upper(), fault["key"])  # the name on the wire
    return f"{fault['message']} - at `{name}`"


def _respond(request: Request[Any, Any, Any], status: int, message: str, *, hint: str | None = None) -> Response[Any]:
    record = record_of(request.scope)
    if hint is not None:
        record.error, record.hint = message, hint
        message = f"{message}. {hint}" if record.shows_hints else message
    body = in_format(error_body(status, message), record.error_format)
    return Response(body, status_code=status, media_type="application/json")
