from typing import Any

import pytest

from polyant.adapters.llm.error_reports import (
    failure_of_error,
    failure_of_report,
    has_error,
    has_nested_error,
    is_error,
)


@pytest.mark.parametrize(
    ("names", "kind", "retry"),
    [
        ((429,), "rate_limit", True),
        (("400", None), "bad_request", False),
        (("invalid_api_key", "invalid_request_error"), "auth", False),
        ((None, "overloaded_error"), "overloaded", True),
        (("insufficient_quota",), "rate_limit", True),
        ((None, None, "RESOURCE_EXHAUSTED"), "rate_limit", True),
        ((None, "BadRequestError"), "bad_request", False),
        (("ThrottlingException",), "rate_limit", True),
        (("Rate limit exceeded",), "rate_limit", True),
        (("InvalidParameter",), "bad_request", False),
        (("DEADLINE_EXCEEDED",), "timeout", False),
        (("error", "Service Unavailable"), "overloaded", True),
        (("no such code", "server_error"), "bad_response", True),
        ((99999, None), "bad_response", True),
        ((), "bad_response", True),
    ],
)
def test_error_is_classified_by_its_first_known_name(
    *,
    names: tuple[object, ...],
    kind: str,
    retry: bool,
) -> None:
    failure = failure_of_error(*names)
    assert (failure.kind, failure.retry) == (kind, retry)


@pytest.mark.parametrize(
    ("report", "kind"),
    [
        ({"error": {"message": "m", "code": 401}}, "auth"),
        ({"error": "Too Many Requests"}, "rate_limit"),
        ({"detail": "Unauthorized"}, "auth"),
        ({"message": "not found"}, "bad_request"),
        ({"status": {"error": {"Code": "Throttling"}}}, "rate_limit"),
        ([{"error": {"status": "UNAVAILABLE"}}], "overloaded"),
        ({"validation_exception": {"message": "m"}}, "bad_request"),
        ({"type": "error", "status": 503, "error": {"code": 401}}, "overloaded"),
        ({"error": {"message": "503 times"}}, "bad_response"),
        ("error", "bad_response"),
    ],
)
def test_report_is_classified_by_its_outermost_known_name(report: Any, kind: str) -> None:
    assert failure_of_report(report).kind == kind


@pytest.mark.parametrize(
    "fields",
    [{}, {"status": "ok"}, {"state": "queued"}, {"result": 5000}, {"ok": True}, {"type": "ping"}, {"error_count": 0}],
)
def test_other_objects_report_no_error(fields: dict[str, Any]) -> None:
    assert not has_error(fields)
    assert not has_nested_error(fields)


def test_deep_nesting_is_searched_up_to_a_limit() -> None:
    value: Any = {"error": "m"}
    for _ in range(20_000):
        value = [{"data": value}]
    assert not has_error({"data": value})
    assert not has_nested_error(value)
    assert has_error({"data": [{"data": {"error": "m"}}]})
    assert is_error(value)
