"""W3C Trace Context: the trace that a turn belongs to, and its headers for providers and MCP servers."""

import re
from collections.abc import Mapping

import msgspec

_PARENT = re.compile(r"\A(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?\Z")
_STATE = re.compile(r"\A[ -~]{1,512}\Z")
_SAMPLED = 0x01


class TraceContext(msgspec.Struct, frozen=True, kw_only=True):
    """A position in a distributed trace: the current span and, if it is ours, its parent."""

    trace_id: str
    """32 lowercase hex digits."""
    span_id: str
    """16 lowercase hex digits: the span that further calls belong to."""
    parent_id: str | None = None
    """The caller's span; None if the caller sent none, or if the turn has no span of its own."""
    sampled: bool = True
    state: str = ""
    """The vendors' `tracestate`, passed on unchanged."""

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers that pass the trace on."""
        parent = f"00-{self.trace_id}-{self.span_id}-{_SAMPLED if self.sampled else 0:02x}"
        return {"traceparent": parent, "tracestate": self.state} if self.state else {"traceparent": parent}


def parse_trace(traceparent: str | None, tracestate: str | None = None) -> TraceContext | None:
    """Returns the caller's trace; None without a valid `traceparent`, as the W3C recommendation demands."""
    found = _PARENT.match((traceparent or "").strip())
    if found is None or (found[1] == "00" and found[5] is not None):
        return None
    state = (tracestate or "").strip()
    return TraceContext(
        trace_id=found[2],
        span_id=found[3],
        sampled=bool(int(found[4], 16) & _SAMPLED),
        state=state if _STATE.match(state) else "",
    )


def trace_headers(trace: TraceContext | None) -> Mapping[str, str]:
    """Returns the headers that pass a trace on; none if there is no trace."""
    return {} if trace is None else trace.headers
