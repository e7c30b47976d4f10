from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import aiohttp
import msgspec
import pytest

from polyant.adapters.llm.failures import (
    CallFailedError,
    decode,
    failure_of_exception,
    failure_of_response,
    kind_of_status,
)
from polyant.domain.errors import ProviderFailure

NOW = datetime(2026, 11, 22, 10, 44, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "kind", "retry"),
    [
        (302, "bad_response", False),
        (400, "bad_request", False),
        (401, "auth", False),
        (402, "auth", False),
        (403, "auth", False),
        (404, "bad_request", False),
        (408, "timeout", False),
        (409, "bad_request", False),
        (413, "bad_request", False),
        (422, "bad_request", False),
        (429, "rate_limit", True),
        (500, "bad_response", True),
        (502, "bad_response", True),
        (503, "overloaded", True),
        (504, "timeout", True),
        (529, "overloaded", True),
    ],
)
def test_status_has_its_kind_and_is_retried_if_temporary(*, status: int, kind: str, retry: bool) -> None:
    failure = failure_of_response(status, {}, NOW, "-")
    assert (kind_of_status(status), failure.kind, failure.retry, failure.wait) == (kind, kind, retry, None)


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({}, None),
        ({"retry-after": "1"}, 1.0),
        ({"retry-after": "0.25"}, 0.25),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, float("inf")),
        ({"retry-after": format_datetime(NOW + timedelta(seconds=90), usegmt=True)}, 90.0),
        ({"retry-after": format_datetime(NOW - timedelta(seconds=90), usegmt=True)}, 0.0),
        ({"retry-after": "Sun, 22 Nov 2026 10:44:30 -0000"}, 30.0),
        ({"retry-after": "Sun, 99 Nov 2026 10:44:30 GMT"}, None),
        ({"retry-after": "9", "retry-after-ms": "1500"}, 1.5),
        ({"retry-after": "9", "retry-after-ms": "x"}, 9.0),
    ],
)
def test_requested_delay_is_read(headers: dict[str, str], wait: float | None) -> None:
    assert failure_of_response(429, headers, NOW, "-").wait == wait


@pytest.mark.parametrize(
    ("error", "kind", "retry"),
    [
        (TimeoutError(), "timeout", False),
        (aiohttp.ConnectionTimeoutError(), "timeout", False),
        (aiohttp.ClientPayloadError(), "bad_response", True),
        (aiohttp.ServerDisconnectedError(), "unreachable", True),
        (ConnectionResetError(), "unreachable", True),
        (aiohttp.InvalidURL("x"), "unreachable", False),
        (ValueError(), "bad_request", False),
    ],
)
def test_aiohttp_error_has_its_kind(*, error: Exception, kind: str, retry: bool) -> None:
    failure = failure_of_exception(error)
    assert (failure.kind, failure.retry) == (kind, retry)


@pytest.mark.parametrize("data", [b"", b"{", b"[1", b'"\xff"', b"[" * 200_000, b'{"a": "text"}'])
def test_undecodable_data_is_a_bad_response(data: bytes) -> None:
    with pytest.raises(CallFailedError) as caught:
        decode(msgspec.json.Decoder(dict[str, int]), data)
    assert (caught.value.kind, caught.value.retry) == (ProviderFailure.BAD_RESPONSE, False)
