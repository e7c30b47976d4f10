"""Reads the text and the opaque state of messages, in the variants of OpenAI-compatible servers."""

from collections.abc import Mapping
from typing import Any

from polyant.adapters.llm.openai_wire import Delta

STATE_FIELDS = ("reasoning_content", "reasoning", "reasoning_details", "thinking_blocks", "extra_content")
"""The fields of a message that must be returned with it during a tool loop."""
CALL_STATE_FIELDS = ("extra_content", "provider_specific_fields", "thought_signature")
"""The fields of a tool call that must be returned with it."""

_REASONING_PARTS = ("thinking", "redacted_thinking", "reasoning", "reasoning_text")
_CONTENT = "content"
_TEXT_FIELDS = ("text", "refusal", "value", "content")
_MERGED_FIELDS = ("text", "summary", "thinking")
_POSITION_FIELDS = ("type", "index", "id")
_CONTINUED_TYPES = (
    *("reasoning.text", "reasoning.summary"),
    *("thinking", "reasoning", "reasoning_text", "summary_text", "text"),
)


def text_in(content: Any) -> str:
    """Returns the text of a `content` or `refusal`: a string, a part, or a list of them; reasoning isn't text."""
    match content:
        case str():
            return content
        case list():
            return "".join(map(text_in, content))
        case dict() if content.get("type") not in _REASONING_PARTS:
            return next((text for name in _TEXT_FIELDS if (text := text_in(content.get(name)))), "")
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
    state[_CONTENT] = _merged(state.get(_CONTENT), parts)


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
            state[name] = _merged(state.get(name), value)


def _merged(known: Any, value: Any) -> Any:
    match known, value:
        case str(), str():
            return known + value
        case list(), list():
            for item in value:
                _append(known, item)
            return known
        case dict(), dict():
            return {**known, **{name: _merged(known.get(name), part) for name, part in value.items()}}
        case _, list():
            return _merged([], value)
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
            last[name] = _merged(last.get(name), value)
        elif value is not None:
            last[name] = value


def _is_continued(last: dict[str, Any], item: dict[str, Any]) -> bool:
    """Returns whether an item continues the last one: its text, or the signature after the text."""
    same_place = all(last.get(name) == item.get(name) for name in _POSITION_FIELDS if item.get(name) is not None)
    return same_place and not last.get("signature") and item.get("type") in _CONTINUED_TYPES
