"""The trace that a turn passes on."""

from collections.abc import Mapping

import msgspec

from polyant.domain.ports.turn_observer import TurnObserver
from polyant.domain.trace_context import TraceContext


class TurnTracing:
    """Decides which trace a turn passes on.

    Args:
        observers: The observers of turns. If one of them has the attribute `traces` with the value True, turns have
            spans of their own.
    """

    def __init__(self, *, observers: Mapping[str, TurnObserver]) -> None:
        self._has_spans = any(getattr(observer, "traces", False) for observer in observers.values())

    def begin(self, caller: TraceContext | None, turn_id: str) -> TraceContext | None:
        """Returns the trace to pass on: the caller's own, or the turn's span in it or in a new trace.

        Args:
            caller: The trace of the caller's request.
            turn_id: 32 hex digits, from which the ids of the turn's span and of a new trace are taken.
        """
        if not self._has_spans:
            return caller
        if caller is None:
            return TraceContext(trace_id=turn_id, span_id=turn_id[16:])
        return msgspec.structs.replace(caller, span_id=turn_id[16:], parent_id=caller.span_id)
