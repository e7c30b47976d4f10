"""Assembles the content blocks of a message of Anthropic's Messages API."""

from typing import Any

from polyant.adapters.llm.anthropic_wire import Delta
from polyant.adapters.llm.history import arguments_object
from polyant.adapters.llm.lenient_json import dumps, loads
from polyant.adapters.llm.response_reader import PartialToolCall

TEXT = "text"
TOOL_USE = "tool_use"
_PLAIN_TYPES = (TEXT, TOOL_USE)
_PLAIN_FIELDS = frozenset({"type", "text", "id", "name", "input"})


class PartialBlock:
    """A block that is still being received.

    Args:
        start: The block as far as it is known at its start; the whole block in a response that isn't streamed.
    """

    __slots__ = ("_start", "call", "citations", "contents", "signatures", "texts", "thoughts", "type")

    def __init__(self, start: dict[str, Any]) -> None:
        self._start = start
        self.type = start.get("type")
        self.texts: list[str] = []
        self.thoughts: list[str] = []
        self.signatures: list[str] = []
        self.citations: list[Any] = []
        self.contents: list[str] = []
        self.call = _call(start)

    def add(self, delta: Delta) -> None:
        """Adds a delta other than text; unknown ones are skipped."""
        if isinstance(delta.thinking, str):
            self.thoughts.append(delta.thinking)
        if isinstance(delta.signature, str):
            self.signatures.append(delta.signature)
        if isinstance(delta.content, str):
            self.contents.append(delta.content)
        if delta.citation is not None:
            self.citations.append(delta.citation)
        if delta.partial_json and self.call is not None:
            piece = delta.partial_json
            self.call.deltas.append(piece if isinstance(piece, str) else dumps(piece))

    @property
    def has_state(self) -> bool:
        """Whether the block has more than its text or its tool call, such as citations or a signature."""
        more = self._start.keys() - _PLAIN_FIELDS
        return bool(self.citations or self.signatures or any(self._start[name] is not None for name in more))

    def echo(self) -> dict[str, Any]:
        """Returns the block as the provider wants it back: complete and unchanged."""
        block = dict(self._start)
        if self.texts:
            block["text"] = _text(block.get("text")) + "".join(self.texts)
        if self.thoughts:
            block["thinking"] = _text(block.get("thinking")) + "".join(self.thoughts)
        if self.contents:
            block["content"] = _text(block.get("content")) + "".join(self.contents)
        if self.signatures:
            block["signature"] = "".join(self.signatures)
        if self.citations:
            known = block.get("citations")
            block["citations"] = [*(known if isinstance(known, list) else ()), *self.citations]
        if self.call is not None and self.call.deltas:
            block["input"] = loads(arguments_object(self.call.final_arguments).encode())
        return block


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def needs_echo(blocks: list[PartialBlock]) -> bool:
    """Returns whether a message has blocks that its text and tool calls don't contain, such as signed thinking."""
    return any(block.type not in _PLAIN_TYPES or block.has_state for block in blocks)


def _call(start: dict[str, Any]) -> PartialToolCall | None:
    """Returns the call of a tool, also of a tool that the provider runs itself; None for other blocks."""
    if "input" not in start and start.get("type") != TOOL_USE:
        return None
    value = start.get("input")
    initial = value if isinstance(value, str) else "" if value is None else dumps(value)
    return PartialToolCall(str(start.get("id") or ""), str(start.get("name") or ""), initial)
