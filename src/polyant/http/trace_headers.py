"""Reads the trace of a request from its headers."""

from litestar.types import Scope

from polyant.domain.trace_context import TraceContext, parse_trace


def trace_in(scope: Scope) -> TraceContext | None:
    """Returns the caller's trace; None without a valid `traceparent` header."""
    parents = _values(scope, b"traceparent")
    return parse_trace(parents[0], ",".join(_values(scope, b"tracestate"))) if len(parents) == 1 else None


def _values(scope: Scope, name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in scope["headers"] if key == name]
