"""Exports each turn as a trace: a span of the turn, of each model call and of each tool call."""

import random
from collections import OrderedDict
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

import msgspec

from polyant import __version__
from polyant.adapters.otel.content_switch import is_content_recorded
from polyant.adapters.otel.endpoint import endpoint_in
from polyant.adapters.otel.export import SpanExport
from polyant.adapters.otel.wire import encode_attributes, encode_position, encode_request, encode_span
from polyant.domain.chat import StepFinished, ToolFinished, Usage
from polyant.domain.injectables import Environ, ToolNames
from polyant.domain.ports.turn_observer import TurnObserver
from polyant.domain.recorded_content import StepContent
from polyant.domain.trace_context import TraceContext
from polyant.domain.turn_records import FAILED_OUTCOMES, ObservedTurn, TurnRecord

try:
    from polyant.adapters.otel import attributes
    from polyant.adapters.otel.sdk import is_sampled, resource_attributes
except ImportError as error:
    raise ImportError("OpenTelemetry is not installed: pip install polyant[otel]") from error

_MAX_OPEN_TURNS = 10_000
"""Observations may be dropped, so some turns may never finish here; the oldest are forgotten."""
_CLOSE_SECONDS = 5.0
_SCOPE = ("polyant", __version__)
_NO_TOOLS = ToolNames(())
_NO_USAGE = Usage()
_NO_FAILURES = (None, "cancelled")
"""A caller that goes away is no failure of the model."""


class _OpenTurn(msgspec.Struct, kw_only=True):
    """The trace of a turn, and the tokens and the text of the model calls so far."""

    trace: TraceContext
    started: int
    """Nanoseconds since 1970."""
    position: bytes
    """The encoded position of the spans of model calls and tool calls."""
    usage: Usage = _NO_USAGE
    first: StepContent | None = None
    """The text of the first model call, if it is recorded."""
    last: StepContent | None = None


class OtelTurnObserver(TurnObserver):
    """Sends spans over OTLP; the standard variables `OTEL_…` configure endpoint, sampler and resource.

    Args:
        environ: The environment. OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT puts text into spans.
        tool_names: The names of the installed tools. A model can call any name, which never becomes a part of a span.
        export: Receives the encoded spans, for tests; by default, they are sent to the endpoint.
    """

    traces = True

    def __init__(
        self,
        *,
        environ: Environ,
        tool_names: ToolNames = _NO_TOOLS,
        export: Callable[[bytes], None] | None = None,
    ) -> None:
        self._tool_names = frozenset(tool_names)
        self._resource = resource_attributes(environ)
        self.records_content = is_content_recorded(environ)
        self._export = SpanExport(endpoint_in(environ), self.request_of)
        self._add = self._export.add if export is None else export
        self._open = OrderedDict[str, _OpenTurn]()

    async def __aenter__(self) -> Self:
        """Returns the observer; the export starts with the first span."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Exports the last spans, for up to five seconds."""
        await self._export.close(seconds=_CLOSE_SECONDS)

    def request_of(self, spans: Sequence[bytes]) -> bytes:
        """Returns a request to a collector with encoded spans."""
        return encode_request(self._resource, _SCOPE, attributes.SCHEMA_URL, spans)

    async def turn_started(self, turn: ObservedTurn) -> None:
        trace = turn.context.trace or TraceContext(trace_id=turn.id, span_id=turn.id[16:])
        if is_sampled(trace, turn.slug):
            self._open[turn.id] = _OpenTurn(
                trace=trace,
                started=int(turn.started_at.timestamp() * 1e9),
                position=encode_position(trace.trace_id, trace.span_id, trace.state),
            )
            if len(self._open) > _MAX_OPEN_TURNS:
                self._open.popitem(last=False)

    async def step_finished(self, turn: ObservedTurn, step: StepFinished, *, elapsed: float) -> None:
        opened = self._open.get(turn.id)
        if opened is None:
            return
        given = b""
        if step.error is None:  # a failed call has no token counts
            used = step.usage if opened.usage is _NO_USAGE else _difference(step.usage, opened.usage)
            given, opened.usage = attributes.encoded_usage(used.clamped), step.usage
        if self.records_content:
            if not step.sub_agent:
                opened.first, opened.last = opened.first or step.content, step.content
            given += encode_attributes(attributes.step_content_attributes(step.content, step.content))
        constant = attributes.chat_constant(turn.provider, turn.model, step.error)
        failed = step.error not in _NO_FAILURES
        self._add(_child(opened, constant, given, elapsed=elapsed, milliseconds=step.milliseconds, failed=failed))

    async def tool_finished(self, turn: ObservedTurn, tool: ToolFinished, *, elapsed: float) -> None:
        opened = self._open.get(turn.id)
        if opened is None:
            return
        is_known = tool.offered or tool.name in self._tool_names
        constant = attributes.tool_constant(tool.name if is_known else attributes.OTHER, ok=tool.ok)
        given = encode_attributes(attributes.tool_content_attributes(tool.content)) if self.records_content else b""
        self._add(_child(opened, constant, given, elapsed=elapsed, milliseconds=tool.milliseconds, failed=not tool.ok))

    async def turn_finished(self, turn: ObservedTurn, record: TurnRecord) -> None:
        opened = self._open.pop(turn.id, None)
        if opened is None:
            return
        trace = opened.trace
        used = Usage(record.prompt_tokens, record.completion_tokens, record.cached_tokens)
        given = attributes.encoded_request(turn) + attributes.encoded_usage(used)
        if self.records_content:
            given += encode_attributes(attributes.step_content_attributes(opened.first, opened.last))
        failed = record.outcome in FAILED_OUTCOMES
        constant = attributes.agent_constant(
            turn.provider,
            turn.model,
            agent_id=turn.instance_id,
            slug=turn.slug,
            channel=turn.context.channel,
            error=record.outcome.value if failed else None,
        )
        span = encode_span(
            constant,
            encode_position(trace.trace_id, trace.parent_id, trace.state),
            bytes.fromhex(trace.span_id),
            start=opened.started,
            end=opened.started + int(record.milliseconds * 1e6),
            attributes=given,
            failed=failed,
        )
        self._add(span)


def _child(
    opened: _OpenTurn, constant: bytes, given: bytes, *, elapsed: float, milliseconds: float, failed: bool
) -> bytes:
    """Returns the encoded span of a model call or a tool call.

    Args:
        opened: The turn.
        constant: The name and the attributes that the spans of this kind share.
        given: The other attributes, encoded.
        elapsed: When the call ended, in seconds after the start of the turn.
        milliseconds: The duration of the call.
        failed: Whether the call failed.
    """
    end = opened.started + int(elapsed * 1e9)
    return encode_span(
        constant,
        opened.position,
        (random.getrandbits(63) + 1).to_bytes(8, "big"),
        start=end - int(milliseconds * 1e6),
        end=end,
        attributes=given,
        failed=failed,
    )


def _difference(total: Usage, earlier: Usage) -> Usage:
    """Returns the tokens of one model call."""
    return Usage(
        total.prompt_tokens - earlier.prompt_tokens,
        total.completion_tokens - earlier.completion_tokens,
        total.cached_tokens - earlier.cached_tokens,
    )
