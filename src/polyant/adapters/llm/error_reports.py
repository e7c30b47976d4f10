"""Recognises the errors in responses whose status is 200, in the many shapes that servers give them."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from polyant.adapters.llm.failures import CallFailedError, is_transient, kind_of_status
from polyant.domain.errors import ProviderFailure

_KINDS: Mapping[ProviderFailure, tuple[str, ...]] = {
    ProviderFailure.AUTH: (
        *("account deactivated", "authentication", "auth failure", "billing", "invalid api key", "incorrect api key"),
        *("permission", "permission denied", "access denied", "unauthorized", "unauthenticated", "forbidden"),
    ),
    ProviderFailure.RATE_LIMIT: (
        *("insufficient quota", "quota exceeded", "rate limit", "rate limit exceeded", "rate limit reached"),
        *("resource exhausted", "throttling", "throttled", "too many requests"),
    ),
    ProviderFailure.BAD_REQUEST: (
        *(
            "bad request",
            "content filter",
            "context length exceeded",
            "context window exceeded",
            "deployment not found",
        ),
        *("invalid argument", "invalid parameter", "invalid request", "model not found", "not found"),
        *("request too large", "unprocessable entity", "validation"),
    ),
    ProviderFailure.OVERLOADED: (
        *("engine overloaded", "model overloaded", "overloaded", "server busy", "server overloaded"),
        *("service unavailable", "unavailable"),
    ),
    ProviderFailure.TIMEOUT: ("deadline exceeded", "gateway timeout", "request timeout", "timeout", "timed out"),
}
_CODES = {name.replace(" ", ""): kind for kind, names in _KINDS.items() for name in names}
_NOT_LETTERS = re.compile(r"[^a-z]")
_SUFFIXES = ("error", "exception")
_TRANSIENT = {ProviderFailure.RATE_LIMIT, ProviderFailure.OVERLOADED}
_STATUS = re.compile(r"\A[1-5][0-9][0-9]\Z")
_FAILED_STATUS = re.compile(r"\A(?:[4-9][0-9]{2}|[1-9][0-9]{3,5})\Z")
_ERROR_NAME = re.compile(r"error|exception|failure|failed|fail(?![a-z])", re.IGNORECASE)

_NAME_FIELDS = ("code", "type", "status", "statuscode", "errorcode", "errortype", "httpcode")
_KIND_FIELDS = ("type", "object", "event", "kind")
_STATUS_FIELDS = ("status", "statuscode")
_STATE_FIELDS = (*_STATUS_FIELDS, "state", "result", "finishreason", "stopreason")
_SUCCESS_FIELDS = ("success", "ok")
_REPORT_FIELDS = frozenset({"err", "errs", "fault", "failure", "detail", "message", "msg", "code"})
_FAILED = frozenset({"error", "errored", "exception", "fail", "failed", "failure", "aborted"})
_NO_ERRORS = frozenset({"", "null", "none", "false", "0", "ok", "success"})
_SUCCESSES = frozenset({"0", "200", "ok", "success"})
_NO = frozenset({"false", "0"})
_NOT_OURS = "filter"
"""Azure reports under such names that its filter failed, which isn't a failure of the answer."""
_ANSWER_FIELDS = frozenset({"content", "tool_calls", "function_call", "annotations", "citations", "search_results"})
"""The fields of an answer that may contain the errors of tools and of websites."""
_MAX_DEPTH = 8
_MAX_ITEMS = 4
_MAX_ERROR_DEPTH = 16


def failure_of_error(*names: object) -> CallFailedError:
    """Returns the failure for an error object in a response with status 200.

    Args:
        names: The object's code, type and status; the first known one decides. Spelling and the suffixes `error` and
            `exception` don't matter.
    """
    for name in map(str, names):
        if _STATUS.match(name):
            return CallFailedError(kind_of_status(int(name)), retry=is_transient(int(name)))
        if (kind := _kind_of_code(name)) is not None:
            return CallFailedError(kind, retry=kind in _TRANSIENT)
    return CallFailedError(ProviderFailure.BAD_RESPONSE, retry=True)


def failure_of_report(report: object) -> CallFailedError:
    """Returns the failure for an error report of any shape: the first known code, type or status in it decides."""
    return failure_of_error(*_names_in(report))


def has_error(fields: Mapping[str, Any]) -> bool:
    """Returns whether an object that isn't part of an answer reports an error, itself or in an object inside it.

    Args:
        fields: The object. Null, false, an empty text, an empty object and 0 report no error.
    """
    return _reports_error(_plain(fields)) or _is_error_inside(fields)


def has_nested_error(value: object, depth: int = 0) -> bool:
    """Returns whether a field named as an error reports one, in an object or in those inside it.

    Args:
        value: A part of an answer, of which only the names of errors are understood.
        depth: How many objects and lists are around the value.
    """
    match value:
        case dict() if depth < _MAX_DEPTH:
            return any(
                (is_error_name(name) and is_error(part)) or has_nested_error(part, depth + 1)
                for name, part in value.items()
                if _NOT_OURS not in name and name not in _ANSWER_FIELDS
            )
        case list() if depth < _MAX_DEPTH:
            return any(has_nested_error(part, depth + 1) for part in value)
        case _:
            return False


def is_error(value: object, depth: int = 0) -> bool:
    """Returns whether the value of a field such as `error` reports an error.

    Some servers send the field in every chunk. Null, false, 0, an empty value, a text such as `none`, the code 0 and an
    object of nothing but such values report no error.

    Args:
        value: The value.
        depth: How many objects and lists are around the value; from 16 on, everything that isn't empty is an error.
    """
    if depth >= _MAX_ERROR_DEPTH:
        return bool(value)
    match value:
        case str():
            return value.strip().lower() not in _NO_ERRORS
        case {"code": code, **rest} if _means_success(code):
            return is_error(rest.get("error"), depth + 1)
        case dict():
            return any(is_error(part, depth + 1) for part in value.values())
        case list():
            return any(is_error(part, depth + 1) for part in value)
        case _:
            return bool(value)


def is_error_name(name: str) -> bool:
    """Returns whether the name of a field, a type or an event says that it reports an error."""
    return bool(_ERROR_NAME.search(name))


def _reports_error(fields: Mapping[str, Any]) -> bool:
    statuses = [fields[name] for name in _STATUS_FIELDS if name in fields]
    states = [str(fields[name]).lower() for name in _STATE_FIELDS if name in fields]
    successes = [str(fields[name]).lower() for name in _SUCCESS_FIELDS if name in fields]
    if any(success in _NO for success in successes):
        return True
    if any(state in _FAILED for state in states) or any(_FAILED_STATUS.match(str(status)) for status in statuses):
        return True
    if any(is_error_name(kind) for name in _KIND_FIELDS if isinstance(kind := fields.get(name), str)):
        return True
    if successes or any(_means_success(value) for value in (fields.get("code"), *statuses)):
        return is_error(fields.get("error"))
    return any(is_error(value) for name, value in fields.items() if name in _REPORT_FIELDS or is_error_name(name))


def _is_error_inside(value: object, depth: int = 0) -> bool:
    """Returns whether an object inside the value reports an error; there, a message alone isn't one."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return depth < _MAX_DEPTH and any(
        (isinstance(part, dict) and _is_inner_report(_plain(part))) or _is_error_inside(part, depth + 1)
        for name, part in parts
        if _NOT_OURS not in str(name)
    )


def _is_inner_report(fields: Mapping[str, Any]) -> bool:
    is_whole = "code" in fields and ("message" in fields or "msg" in fields)
    return _reports_error(fields if is_whole else {name: fields[name] for name in fields.keys() - _REPORT_FIELDS})


def _means_success(value: object) -> bool:
    return not isinstance(value, bool | float | None) and str(value).lower() in _SUCCESSES


def _kind_of_code(code: str) -> ProviderFailure | None:
    name = _NOT_LETTERS.sub("", code.lower())
    for suffix in _SUFFIXES:
        name = name.removesuffix(suffix)
    return _CODES.get(name)


def _names_in(report: object, depth: int = 0) -> Iterator[object]:
    """Yields the codes, types and statuses in a report, the outer ones first."""
    match report:
        case dict() if depth < _MAX_DEPTH:
            fields = _plain(report)
            yield from (fields[name] for name in _NAME_FIELDS if fields.get(name))
            for name, part in report.items():
                if isinstance(part, str) and (name.lower() in _REPORT_FIELDS or is_error_name(name)):
                    yield part
                yield from _names_in(part, depth + 1)
                if is_error_name(name) and part:
                    yield name
        case list() if depth < _MAX_DEPTH:
            for item in report[:_MAX_ITEMS]:
                yield from _names_in(item, depth + 1)


def _plain(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the fields with their names in lower case, without separators."""
    return {name.lower().replace("_", "").replace("-", ""): value for name, value in fields.items()}
