"""Tool calls, joined from the pieces that OpenAI and the servers compatible with it send."""

import msgspec

from polyant.adapters.llm.answer import PartialCall, is_object
from polyant.adapters.llm.openai_wire import CallPiece, FunctionPiece

_NOTHING = FunctionPiece()


class ToolCallPieces:
    """Tells which call a piece belongs to.

    OpenAI numbers the calls by `index` and sends id and name with the first piece of each. Others leave the index out,
    give every whole call the index 0, or send no ids: then another id starts another call, and without ids a name does
    once the arguments so far are complete.
    """

    def __init__(self) -> None:
        self.calls: list[PartialCall] = []
        self._by_index: dict[int | None, PartialCall] = {}

    def add(self, piece: CallPiece) -> None:
        """Takes one piece."""
        function = piece.function or _NOTHING
        call = self._call_of(piece, function)
        call.id = call.id or piece.id or ""
        call.name = call.name or function.name or ""
        if isinstance(function.arguments, dict):
            call.pieces.append(msgspec.json.encode(function.arguments).decode())
        elif function.arguments:
            call.pieces.append(function.arguments)

    def _call_of(self, piece: CallPiece, function: FunctionPiece) -> PartialCall:
        call = self._by_index.get(piece.index)
        if piece.id and (call is None or call.id != piece.id):
            call = next((known for known in self.calls if known.id == piece.id), call)
        if call is None or _starts_another(call, piece, function):
            call = PartialCall()
            self.calls.append(call)
        self._by_index[piece.index] = self._by_index[None] = call
        return call


def _starts_another(call: PartialCall, piece: CallPiece, function: FunctionPiece) -> bool:
    if piece.id and call.id:
        return piece.id != call.id
    return bool(function.name and call.name) and is_object(call.arguments or "{}")
