"""Assembles tool calls from the deltas of OpenAI and compatible servers."""

from collections.abc import Iterable
from typing import Any

from polyant.adapters.llm.lenient_json import dumps, is_object
from polyant.adapters.llm.openai_content import add_call_state
from polyant.adapters.llm.response_reader import PartialToolCall
from polyant.domain.chat import MAX_TOOL_CALLS

_ARGUMENTS = ("arguments", "parameters", "input")
_MAX_NAME_CHARACTERS = 1_000
_MAX_CHECKED_CHARACTERS = 16 * 2**20
"""The characters of a call that are parsed to find its end: all of them again for each delta that may be the last."""
_DELTA_FIELDS = ("id", "index", "type", "function", "name", *_ARGUMENTS)


class ToolCallAssembler:
    """Assigns each delta to a tool call; those of more than MAX_TOOL_CALLS calls are dropped.

    OpenAI numbers the calls with `index` and sends id and name in the first delta of each. Other servers omit the
    index, give every complete call the index 0, repeat the name, or send no ids. For them, a different id starts a new
    call. Without a new id, a name starts a new call when the previous arguments are complete; but a delta with the
    index of a call that has an id belongs to that call, as does the same name if only one of both has arguments.
    """

    def __init__(self) -> None:
        self._calls: list[PartialToolCall] = []
        self._by_index: dict[object, PartialToolCall] = {}
        self._by_id: dict[str, PartialToolCall] = {}
        self._excess = PartialToolCall()
        """Stands for all calls beyond the limit."""

    @property
    def calls(self) -> list[PartialToolCall]:
        """The calls so far, without those of which nothing has arrived."""
        return [call for call in self._calls if call.name or call.id or call.deltas]

    def add_all(self, deltas: Any) -> None:
        """Adds the deltas of one chunk: a list, or a single delta; anything else is ignored."""
        for delta in deltas if isinstance(deltas, list) else _listed(deltas):
            if isinstance(delta, dict):
                self._add(delta)

    def _add(self, delta: dict[str, Any]) -> None:
        piece = _Piece(delta)
        call = self._call_of(piece)
        if piece.id and (not call.id or call.id not in self._by_id):
            call.id = call.id or piece.id
            self._by_id.setdefault(call.id, call)
        call.name = _merged_name(call, piece.name)
        if piece.arguments:
            call.deltas.append(piece.arguments)
        add_call_state(call.state, delta)

    def _call_of(self, piece: "_Piece") -> PartialToolCall:
        call = self._by_index.get(piece.index)
        if piece.id and (call is None or call.id != piece.id):
            call = self._by_id.get(piece.id, call)
        if call is None and not piece.id and not piece.name:
            call = self._unfinished()  # some servers number the pieces instead of the calls
        is_new_place = piece.index is not None and piece.index not in self._by_index
        if call is None or piece.starts_after(call, is_new_place=is_new_place):
            call = self._new_call()
        if call is not self._excess or piece.index in self._by_index:  # a hostile server must not fill the dictionary
            self._by_index[piece.index] = call
        self._by_index[None] = call
        return call

    def _new_call(self) -> PartialToolCall:
        if len(self._calls) >= MAX_TOOL_CALLS:
            return self._excess
        self._calls.append(PartialToolCall())
        return self._calls[-1]

    def _unfinished(self) -> PartialToolCall | None:
        """Returns the latest call if its arguments are incomplete."""
        call = self._by_index.get(None)
        return None if call is None or (call.deltas and _is_complete(call)) else call


def _listed(deltas: Any) -> Iterable[Any]:
    """Returns the deltas in an object: a single one, or several by their index."""
    is_one = not isinstance(deltas, dict) or any(name in deltas for name in _DELTA_FIELDS)
    return (deltas,) if is_one else deltas.values()


class _Piece:
    """One delta of a tool call, in the types of the API reference."""

    __slots__ = ("arguments", "id", "index", "name")

    def __init__(self, delta: dict[str, Any]) -> None:
        function = delta.get("function")
        if not isinstance(function, dict):
            # Some servers send name and arguments without the object around them, or in another one.
            function = custom if isinstance(custom := delta.get("custom"), dict) else delta
        index = delta.get("index")
        self.index = index if isinstance(index, int | str) else None
        self.id = _text(delta.get("id"))
        self.name = _text(function.get("name")).strip()
        arguments = next((value for name in _ARGUMENTS if (value := function.get(name)) is not None), None)
        self.arguments = arguments if isinstance(arguments, str) else "" if arguments is None else dumps(arguments)

    def starts_after(self, call: PartialToolCall, *, is_new_place: bool) -> bool:
        """Returns whether the piece starts a new call.

        Args:
            call: The latest call at the piece's index or with its id.
            is_new_place: Whether the piece is the first with its index.
        """
        if self.id and self.id == call.id:
            # Some servers give all calls the same id.
            is_other = self.name not in {"", call.name} or (is_new_place and bool(self.name))
            return is_other and bool(self.arguments and call.deltas) and _is_complete(call)
        if self.id and call.id:
            # Some servers send a new id with each piece of a call, some the name, too.
            goes_on = not self.name or (self.index is not None and self.name == call.name and bool(call.deltas))
            return not goes_on or _is_complete(call)
        if not self.name or not call.name:
            return False
        if call.id or self.index is not None:
            is_same_place = self.index is not None and bool(call.id)
            return (
                bool(self.arguments and call.deltas)
                and (not is_same_place or self.name != call.name)
                and _is_complete(call)
            )
        is_rest = self.name == call.name and bool(self.arguments) != bool(call.deltas)
        return not is_rest and _is_complete(call)


def _is_complete(call: PartialToolCall) -> bool:
    # The last delta first: joining and parsing all of them for each delta would be quadratic.
    is_end = not call.deltas or call.deltas[-1].rstrip()[-1:] in {"}", ""}
    if not is_end or call.checked > _MAX_CHECKED_CHARACTERS:
        return False
    arguments = call.final_arguments
    call.checked += len(arguments) + len(call.deltas)
    return is_object(arguments)


def _merged_name(call: PartialToolCall, name: str) -> str:
    """Returns the call's name after a piece with this name, which may repeat, replace or continue it."""
    if not name or name == call.name or (call.name and call.deltas) or len(call.name) > _MAX_NAME_CHARACTERS:
        return call.name
    return name if name.startswith(call.name) else call.name + name


def _text(value: object) -> str:
    return value if isinstance(value, str) else "" if value is None or isinstance(value, dict | list) else str(value)
