"""Reads the text and the opaque state of messages, in the variants of OpenAI-compatible servers."""

import re
from collections.abc import Mapping
from typing import Any

from polyant.adapters.llm import lenient_json
from polyant.adapters.llm.openai_wire import Delta

STATE_FIELDS = ("reasoning_content", "reasoning", "reasoning_details", "thinking_blocks", "extra_content")
"""The fields of a message that must be returned with it during a tool loop."""
_OPAQUE = re.compile(r"thinking|thought|reason|signature|encrypted|opaque|extra_content|provider_specific")
"""Words in the names of opaque fields, whose values must be returned; each server names them differently."""
_RARE = (
    *(b"thought", b"ignature", b"ncrypted", b"opaque", b"provider_specific"),
    *(b'"thinking', b"reasoning_text", b"reasoning_summary"),
)
"""Words in chunks with opaque fields that `Delta` does not declare."""
_NO_STATE = frozenset({"finish_reason", "stop_reason", *STATE_FIELDS})

_REASONING_PARTS = ("thinking", "redacted_thinking", "reasoning", "reasoning_text")
_CONTENT = "content"
_FUNCTION = "function"
_MAX_DEPTH = 16
_TEXT_FIELDS = ("text", "refusal", "value", "content")
_MERGED_FIELDS = ("text", "summary", "thinking")
_FIXED = re.compile(r"signature|encrypted|opaque|redacted|(?:\A|_)(?:id|data|format|type)\Z", re.IGNORECASE)
"""Names of fields whose value a server may send again. Others have text in pieces, of which two may be equal."""
_POSITION_FIELDS = ("type", "index", "id")
_CONTINUED_TYPES = (
    *("reasoning.text", "reasoning.summary"),
    *("thinking", "reasoning", "reasoning_text", "summary_text", "text"),
)


def text_in(content: Any, depth: int = 0) -> str:
    """Returns the text of a `content` or `refusal`: a string, a part, or a list of them; reasoning isn't text.

    Args:
        content: The value of the field.
        depth: How many parts and lists are around it; what is nested deeper than in 16 isn't read.
    """
    match content:
        case str():
            return content
        case list() if depth < _MAX_DEPTH:
            return "".join([text_in(part, depth + 1) for part in content])
        case dict() if depth < _MAX_DEPTH and content.get("type") not in _REASONING_PARTS:
            return next((text for name in _TEXT_FIELDS if (text := text_in(content.get(name), depth + 1))), "")
        case _:
            return ""


def is_reasoning(delta: Delta) -> bool:
    """Returns whether Google marks the text of a delta as reasoning."""
    match delta.extra_content:
        case {"google": {"thought": True}}:
            return True
        case _:
            return False


def reasoning_parts(content: Any) -> list[Any]:
    """Returns the parts of a `content` that are reasoning, as Mistral and Databricks send it."""
    parts = content if isinstance(content, list) else [content]
    return [part for part in parts if isinstance(part, dict) and part.get("type") in _REASONING_PARTS]


def add_parts(state: dict[str, Any], parts: list[Any]) -> None:
    """Adds the reasoning in a delta's `content` to the opaque state of its message."""
    state[_CONTENT] = _merged(state.get(_CONTENT), parts, _CONTENT)


def content_with_parts(state: Mapping[str, Any], text: str | None) -> str | list[Any] | None:
    """Returns the `content` to send back: the reasoning in the state, if it has any, and the text after it."""
    parts = state.get(_CONTENT)
    if not parts:
        return text
    return [*parts, {"type": "text", "text": text}] if text else parts


def add_state(state: dict[str, Any], delta: Delta) -> None:
    """Adds a delta's opaque state to that of its message."""
    for name in STATE_FIELDS:
        value = getattr(delta, name)
        if value:
            state[name] = _merged(state.get(name), value, name)


def add_rare_state(state: dict[str, Any], data: bytes) -> None:
    """Adds the opaque fields that only few servers send, from the data of a chunk or a whole response."""
    if not any(map(data.__contains__, _RARE)):
        return
    match lenient_json.loads(data):
        case {"choices": [{"delta": dict(fields)}, *_]}:
            for name in _rare_names(fields):
                state[name] = _merged(state.get(name), fields[name], name)
        case {"choices": [{"message": dict(fields)}, *_]}:  # it may repeat what came in deltas
            for name in _rare_names(fields):
                state.setdefault(name, fields[name])


def add_call_state(state: dict[str, Any], delta: Mapping[str, Any]) -> None:
    """Adds a delta's opaque state to that of its tool call; that of the function stays in the function."""
    for name in _opaque_names(delta):
        state[name] = _merged(state.get(name), delta[name], name)
    function = delta.get(_FUNCTION)
    if isinstance(function, dict) and (names := _opaque_names(function)):
        state[_FUNCTION] = _merged(state.get(_FUNCTION, {}), {name: function[name] for name in names}, _FUNCTION)


def call_with_state(call: Mapping[str, Any], state: Mapping[str, Any] | None) -> dict[str, Any]:
    """Returns a tool call to send back, with its opaque state."""
    kept = state or {}
    return {**kept, **call, _FUNCTION: {**kept.get(_FUNCTION, {}), **call[_FUNCTION]}}


def _rare_names(fields: Mapping[str, Any]) -> list[str]:
    return [name for name in _opaque_names(fields) if name not in _NO_STATE]


def _opaque_names(fields: Mapping[str, Any]) -> list[str]:
    return [name for name, value in fields.items() if value and _OPAQUE.search(name)]


class _Pieces:
    """A text that arrives in pieces: adding each to those before it would take time that grows with their square."""

    __slots__ = ("texts",)

    def __init__(self, *texts: str) -> None:
        self.texts = list(texts)


def whole(state: Any) -> Any:
    """Returns the state of a complete message: with texts instead of their pieces."""
    match state:
        case _Pieces():
            return "".join(state.texts)
        case list():
            return [whole(item) for item in state]
        case dict():
            return {name: whole(value) for name, value in state.items()}
        case _:
            return state


def _merged(known: Any, value: Any, field: str) -> Any:
    """Returns a field's value after a delta: texts grow, and a signature that is sent again stays as it is.

    `known` may be changed.
    """
    match known, value:
        case _Pieces(), str():
            known.texts.append(value)
            return known
        case str(), str():
            return value if _FIXED.search(field) and value.startswith(known) else _Pieces(known, value)
        case list(), list():
            is_same = known == value and not any(isinstance(item, dict) for item in value)
            for item in () if is_same else value:
                _append(known, item)
            return known
        case dict(), dict():
            for name, part in value.items():
                known[name] = _merged(known.get(name), part, name)
            return known
        case _, list():
            return _merged([], value, field)
        case _:
            return value


def _append(items: list[Any], item: Any) -> None:
    """Adds an item to a list of reasoning details or parts, whose text may come in several deltas."""
    last = items[-1] if items else None
    if not (isinstance(last, dict) and isinstance(item, dict) and _is_continued(last, item)):
        items.append(dict(item) if isinstance(item, dict) else item)
        return
    for name, value in item.items():
        if name in _MERGED_FIELDS:
            last[name] = _merged(last.get(name), value, name)
        elif value is not None:
            last[name] = value


def _is_continued(last: dict[str, Any], item: dict[str, Any]) -> bool:
    """Returns whether an item continues the last one: its text, or the signature after the text."""
    same_place = all(last.get(name) == item.get(name) for name in _POSITION_FIELDS if item.get(name) is not None)
    return same_place and not last.get("signature") and item.get("type") in _CONTINUED_TYPES
