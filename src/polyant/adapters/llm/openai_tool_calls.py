"""Assembles tool calls from the deltas of OpenAI and compatible servers."""

import msgspec

from polyant.adapters.llm.openai_wire import FunctionDelta, ToolCallDelta
from polyant.adapters.llm.response_reader import PartialToolCall, is_object

_EMPTY_FUNCTION = FunctionDelta()


class ToolCallAssembler:
    """Assigns each delta to a tool call.

    OpenAI numbers the calls with `index` and sends id and name in the first delta of each. Other servers omit the
    index, give every complete call the index 0, or send no ids. For them, a different id starts a new call. Without
    ids, a name starts a new call when the previous arguments are complete.
    """

    def __init__(self) -> None:
        self.calls: list[PartialToolCall] = []
        self._by_index: dict[int | None, PartialToolCall] = {}
        self._by_id: dict[str, PartialToolCall] = {}

    def add(self, delta: ToolCallDelta) -> None:
        """Adds one delta."""
        function = delta.function or _EMPTY_FUNCTION
        call = self._call_of(delta, function)
        if delta.id and not call.id:
            call.id = delta.id
            self._by_id.setdefault(delta.id, call)
        call.name = call.name or function.name or ""
        if isinstance(function.arguments, dict):
            call.deltas.append(msgspec.json.encode(function.arguments).decode())
        elif function.arguments:
            call.deltas.append(function.arguments)

    def _call_of(self, delta: ToolCallDelta, function: FunctionDelta) -> PartialToolCall:
        call = self._by_index.get(delta.index)
        if delta.id and (call is None or call.id != delta.id):
            call = self._by_id.get(delta.id, call)
        if call is None or _starts_new_call(call, delta, function):
            call = PartialToolCall()
            self.calls.append(call)
        self._by_index[delta.index] = self._by_index[None] = call
        return call


def _starts_new_call(call: PartialToolCall, delta: ToolCallDelta, function: FunctionDelta) -> bool:
    if delta.id and call.id:
        return delta.id != call.id
    if not function.name or not call.name:
        return False
    # The last delta first: joining and parsing all of them for each delta would be quadratic.
    ends_like_an_object = not call.deltas or call.deltas[-1].rstrip()[-1:] in {"}", ""}
    return ends_like_an_object and is_object(call.arguments or "{}")
