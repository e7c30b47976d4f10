"""Finds the fields of a request that have no effect, so that the response can report them."""

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any

import msgspec
from litestar.types import Scope

from polyant.http.openai.wire import ChatCompletionRequest
from polyant.http.record import record_of

_HEADER = b"x-polyant-ignored"
_EMPTY = frozenset({b"null", b"[]", b"{}", b'""', b"false"})
_WHITE_SPACE = b" \t\r\n"


def report_ignored(scope: Scope, request: ChatCompletionRequest, *, keeps_conversation: bool = False) -> None:
    """Puts the names of ignored fields into the response headers and the request's log line, replacing earlier ones.

    Args:
        scope: The scope of the request.
        request: The request.
        keeps_conversation: Whether the instance keeps the conversation, so that its id has an effect.
    """
    record = record_of(scope)
    record.ignored = ignored_in(request, keeps_conversation=keeps_conversation)
    record.headers = [header for header in record.headers if header[0] != _HEADER]
    if record.ignored:
        record.headers.append((_HEADER, ", ".join(record.ignored).encode()))


def ignored_in(request: ChatCompletionRequest, *, keeps_conversation: bool = False) -> tuple[str, ...]:
    """Returns the names of the fields that the caller set to a value without effect."""
    values = _values_of(request)
    found: list[str] = []
    if any(values):
        found += (name for name, raw in zip(_CHECKS, values, strict=True) if raw and _CHECKS[name](raw))
    if request.chat_id is not None and not keeps_conversation:
        found.append("chat_id")
    return tuple(found)


def _is_set(raw: msgspec.Raw) -> bool:
    return bytes(raw).translate(None, _WHITE_SPACE) not in _EMPTY


def _is_true(raw: msgspec.Raw) -> bool:
    return bytes(raw) == b"true"


def _is_other_than(*values: Any) -> Callable[[msgspec.Raw], bool]:
    return lambda raw: msgspec.json.decode(raw) not in values


_CHECKS: Mapping[str, Callable[[msgspec.Raw], bool]] = {
    "tools": _is_set,
    "functions": _is_set,
    "n": _is_other_than(None, 1),
    "logprobs": _is_true,
    "modalities": _is_other_than(None, [], ["text"]),
    "audio": _is_set,
    "prediction": _is_set,
}
"""Whether the value of a field that was sent differs from what the response is without it."""
_values_of = attrgetter(*_CHECKS)
