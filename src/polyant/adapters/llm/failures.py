"""Classifies failed provider calls: the kind of failure, whether to retry, and how long to wait."""

import math
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, NoReturn, TypeVar

import aiohttp
import msgspec

from polyant.adapters.llm import lenient_json
from polyant.domain.errors import ProviderFailure

T = TypeVar("T")

DECODE_ERRORS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""The errors that msgspec raises for data that it can't decode."""

_CLIENT_ERRORS = range(400, 500)
_STATUSES = {
    401: ProviderFailure.AUTH,
    402: ProviderFailure.AUTH,
    403: ProviderFailure.AUTH,
    407: ProviderFailure.UNREACHABLE,
    408: ProviderFailure.TIMEOUT,
    429: ProviderFailure.RATE_LIMIT,
    503: ProviderFailure.OVERLOADED,
    504: ProviderFailure.TIMEOUT,
    529: ProviderFailure.OVERLOADED,
}
_CODES = {
    "account_deactivated": ProviderFailure.AUTH,
    "authentication_error": ProviderFailure.AUTH,
    "billing_error": ProviderFailure.AUTH,
    "invalid_api_key": ProviderFailure.AUTH,
    "permission_error": ProviderFailure.AUTH,
    "insufficient_quota": ProviderFailure.RATE_LIMIT,
    "rate_limit_error": ProviderFailure.RATE_LIMIT,
    "rate_limit_exceeded": ProviderFailure.RATE_LIMIT,
    "resource_exhausted": ProviderFailure.RATE_LIMIT,
    "badrequesterror": ProviderFailure.BAD_REQUEST,
    "context_length_exceeded": ProviderFailure.BAD_REQUEST,
    "invalid_request_error": ProviderFailure.BAD_REQUEST,
    "model_not_found": ProviderFailure.BAD_REQUEST,
    "not_found_error": ProviderFailure.BAD_REQUEST,
    "request_too_large": ProviderFailure.BAD_REQUEST,
    "overloaded": ProviderFailure.OVERLOADED,
    "overloaded_error": ProviderFailure.OVERLOADED,
    "server_overloaded": ProviderFailure.OVERLOADED,
    "service_unavailable": ProviderFailure.OVERLOADED,
    "timeout_error": ProviderFailure.TIMEOUT,
    "unavailable": ProviderFailure.OVERLOADED,
}
_NAME_FIELDS = ("code", "type", "status", "status_code", "statusCode", "error_code", "error_type", "http_code")
_NESTED_FIELDS = ("error", "errors", "detail", "details", "metadata", "base_resp")
_REPORT_FIELDS = frozenset(
    {
        *("error", "errors", "err", "exception", "fault", "failure", "detail", "message", "msg", "code"),
        *("errorcode", "errormsg", "errormessage"),
    }
)
_FAILED = ("error", "failed")
_NO_ERRORS = frozenset({"", "null", "none", "false", "0", "ok", "success"})
_SUCCESSES = (0, 200, "0", "200", "ok", "success")
_LOWEST_ERROR_STATUS = 400
_MAX_DEPTH = 4
_TRANSIENT = {ProviderFailure.RATE_LIMIT, ProviderFailure.OVERLOADED}
_STATUS = re.compile(r"\A[1-5][0-9][0-9]\Z")


class CallFailedError(Exception):
    """A provider call failed; internal to this package, and without any text from the provider.

    Args:
        kind: The kind of failure.
        retry: Whether another attempt may succeed.
        wait: How many seconds the provider asks to wait.
        status: The HTTP status of the response.
        request_id: The provider's id for the request, for the log.

    Attributes:
        refused_tools: The names of the tools that the provider refuses.
    """

    refused_tools: tuple[str, ...] = ()

    def __init__(
        self,
        kind: ProviderFailure,
        *,
        retry: bool = False,
        wait: float | None = None,
        status: int | None = None,
        request_id: str = "-",
    ) -> None:
        super().__init__(kind)
        self.kind = kind
        self.retry = retry
        self.wait = wait
        self.status = status
        self.request_id = request_id


class InvalidResponseError(CallFailedError):
    """The response isn't valid JSON of the documented form."""

    def __init__(self) -> None:
        super().__init__(ProviderFailure.BAD_RESPONSE)


def kind_of_status(status: int) -> ProviderFailure:
    """Returns the kind of failure for an HTTP status.

    | status | kind |
    |---|---|
    | 401, 402, 403 | auth: the operator's account or key is the problem |
    | 407 | unreachable: the operator's proxy refuses the call |
    | 408, 504 | timeout |
    | 429 | rate_limit |
    | 503, 529 | overloaded |
    | other 4xx | bad_request |
    | other 5xx; 3xx, because no provider's API redirects | bad_response |
    """
    known = _STATUSES.get(status)
    if known is not None:
        return known
    return ProviderFailure.BAD_REQUEST if status in _CLIENT_ERRORS else ProviderFailure.BAD_RESPONSE


def failure_of_response(status: int, headers: Mapping[str, str], now: datetime, request_id: str) -> CallFailedError:
    """Returns the failure for a response with an error status.

    Args:
        status: The HTTP status.
        headers: The response headers; `Retry-After` sets how long to wait.
        now: The current time.
        request_id: The provider's id for the request.
    """
    return CallFailedError(
        kind_of_status(status),
        retry=_is_transient(status),
        wait=_wait_of(headers, now),
        status=status,
        request_id=request_id,
    )


def failure_of_error(*names: object) -> CallFailedError:
    """Returns the failure for an error object in a response with status 200.

    Args:
        names: The object's code, type and status; the first known one decides.
    """
    for name in map(str, names):
        if _STATUS.match(name):
            return CallFailedError(kind_of_status(int(name)), retry=_is_transient(int(name)))
        if (kind := _CODES.get(name.lower())) is not None:
            return CallFailedError(kind, retry=kind in _TRANSIENT)
    return CallFailedError(ProviderFailure.BAD_RESPONSE, retry=True)


def has_error(fields: Mapping[str, Any]) -> bool:
    """Returns whether an object that isn't part of an answer reports an error.

    Args:
        fields: The object. Null, false, an empty text, an empty object and 0 report no error.
    """
    statuses = [fields.get(name) for name in ("status", "statusCode", "status_code")]
    if False in (fields.get(name) for name in ("success", "ok") if isinstance(fields.get(name), bool)):
        return True
    if any(status in _FAILED or (type(status) is int and status >= _LOWEST_ERROR_STATUS) for status in statuses):
        return True
    if str(fields.get("type")).endswith((".failed", ".error")):
        return True
    if any(_means_success(value) for value in (fields.get("code"), *statuses)):
        return is_error(fields.get("error"))
    return any(is_error(value) for name, value in fields.items() if name.lower().replace("_", "") in _REPORT_FIELDS)


def is_error(value: object) -> bool:
    """Returns whether the value of a field such as `error` reports an error.

    Some servers send the field in every chunk. Null, false, 0, an empty value, a text such as `none`, the code 0 and an
    object of nothing but such values report no error.
    """
    match value:
        case str():
            return value.strip().lower() not in _NO_ERRORS
        case {"code": code, **rest} if _means_success(code):
            return is_error(rest.get("error"))
        case dict():
            return any(map(is_error, value.values()))
        case list():
            return any(map(is_error, value))
        case _:
            return bool(value)


def _means_success(value: object) -> bool:
    return not isinstance(value, bool | float) and (value.lower() if isinstance(value, str) else value) in _SUCCESSES


def failure_of_exception(error: Exception) -> CallFailedError:
    """Returns the failure for an exception raised by aiohttp.

    Timed-out calls are not retried, because retries would multiply the caller's wait.
    """
    match error:
        case TimeoutError():
            return CallFailedError(ProviderFailure.TIMEOUT)
        case aiohttp.ClientHttpProxyError() | aiohttp.InvalidURL():
            return CallFailedError(ProviderFailure.UNREACHABLE)
        case aiohttp.ClientResponseError():
            return CallFailedError(ProviderFailure.BAD_RESPONSE)
        case aiohttp.ClientPayloadError():
            return CallFailedError(ProviderFailure.BAD_RESPONSE, retry=True)
        case OSError() | aiohttp.ClientConnectionError():
            return CallFailedError(ProviderFailure.UNREACHABLE, retry=True)
        case _:
            return CallFailedError(ProviderFailure.BAD_REQUEST)


def failure_of_report(report: object) -> CallFailedError:
    """Returns the failure for an error report of any shape: the first known code, type or status in it decides."""
    return failure_of_error(*_names_in(report))


def decode(decoder: msgspec.json.Decoder[T], data: bytes) -> T:
    """Returns the decoded data; text may contain a surrogate without its other half.

    Raises:
        InvalidResponseError: The data isn't JSON of the documented form.
    """
    try:
        return decoder.decode(data)
    except DECODE_ERRORS:
        fields = decode_object(data)
    try:
        return msgspec.convert(fields, decoder.type)
    except (msgspec.ValidationError, UnicodeEncodeError):
        raise_bad_response()


def decode_object(data: bytes) -> dict[str, Any]:
    """Returns the object in the data, or the first object if the data is an array of them.

    Raises:
        InvalidResponseError: The data isn't JSON, or it is JSON of another form.
    """
    try:
        value = lenient_json.loads(data)
    except (ValueError, RecursionError):
        raise_bad_response()
    if isinstance(value, list) and value:
        value = value[0]
    return value if isinstance(value, dict) else raise_bad_response()


def raise_bad_response() -> NoReturn:
    """Raises the failure for an invalid response."""
    raise InvalidResponseError from None


def _is_transient(status: int) -> bool:
    return status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR


def _names_in(report: object, depth: int = 0) -> Iterator[object]:
    match report:
        case dict() if depth < _MAX_DEPTH:
            yield from (report[name] for name in _NAME_FIELDS if report.get(name))
            for name in _NESTED_FIELDS:
                yield from _names_in(report.get(name), depth + 1)
        case list() if depth < _MAX_DEPTH:
            for item in report[:_MAX_DEPTH]:
                yield from _names_in(item, depth + 1)
        case str():
            yield report


def _wait_of(headers: Mapping[str, str], now: datetime) -> float | None:
    milliseconds = _number(headers.get("retry-after-ms", ""))
    if milliseconds is not None:
        return milliseconds / 1000
    text = headers.get("retry-after", "")
    seconds = _number(text)
    return seconds if seconds is not None or not text else _seconds_until(text, now)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return None if math.isnan(number) else max(0.0, number)


def _seconds_until(text: str, now: datetime) -> float | None:
    try:
        then = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return max(0.0, (then.replace(tzinfo=then.tzinfo or UTC) - now).total_seconds())
