"""Classifies failed provider calls: the kind of failure, whether to retry, and how long to wait."""

import math
from collections.abc import Mapping
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
        retry=is_transient(status),
        wait=_wait_of(headers, now),
        status=status,
        request_id=request_id,
    )


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


def is_transient(status: int) -> bool:
    """Returns whether another attempt may succeed after a response with this status."""
    return status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR


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
