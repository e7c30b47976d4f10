"""Finds the fields of a request that have no effect, so that the response can report them."""

from typing import Any

import msgspec
from litestar.types import Scope

from polyant.http.openai.wire import ChatCompletionRequest
from polyant.http.record import record_of

_HEADER = b"x-polyant-ignored"
_EMPTY = frozenset({b"null", b"[]", b"{}", b'""', b"false"})
_WHITE_SPACE = b" \t\r\n"
_TEXT_ONLY: tuple[Any, ...] = (None, [], ["text"])


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
    found = {
        "tools": _is_set(request.tools),
        "functions": _is_set(request.functions),
        "n": bool(request.n) and _value(request.n) not in (None, 1),
        "logprobs": bytes(request.logprobs) == b"true",
        "modalities": bool(request.modalities) and _value(request.modalities) not in _TEXT_ONLY,
        "audio": _is_set(request.audio),
        "prediction": _is_set(request.prediction),
        "chat_id": request.chat_id is not None and not keeps_conversation,
    }
    return tuple(name for name, is_ignored in found.items() if is_ignored)


def _is_set(raw: msgspec.Raw) -> bool:
    return bool(raw) and bytes(raw).translate(None, _WHITE_SPACE) not in _EMPTY


def _value(raw: msgspec.Raw) -> Any:
    return msgspec.json.decode(raw)
