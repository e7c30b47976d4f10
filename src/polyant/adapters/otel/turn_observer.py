"""Exports each turn as a trace: a span of the turn, of each model call and of each tool call."""

import random
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Self

import msgspec

from polyant import __version__
from polyant.adapters.otel.content_switch import is_content_recorded
from polyant.adapters.otel.endpoint import endpoint_in
from polyant.adapters.otel.export import SpanExport
from polyant.adapters.otel.wire import AttributeValue, EncodedSpan, encode_request, encode_span
from polyant.domain.chat import StepFinished, ToolFinished, Usage
from polyant.domain.injectables import Environ
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
_NANOSECONDS = 1_000_000_000
_SCOPE = ("polyant", __version__)


class _OpenTurn(msgspec.Struct, kw_only=True):
    """The trace of a turn, and the tokens and the text of the model calls so far."""

    trace: TraceContext
    started: float
    """Seconds since 1970."""
    usage: Usage = Usage()
    first: StepContent | None = None
    """The text of the first model call, if it is recorded."""
    last: StepContent | None = None

    def times(self, elapsed: float, milliseconds: float) -> tuple[int, int]:
        """Returns the start and the end of work, in nanoseconds since 1970.

        Args:
            elapsed: When the work ended, in seconds after the start of the turn.
            milliseconds: The duration of the work.
        """
        end = self.started + elapsed
        return int((end - milliseconds / 1_000) * _NANOSECONDS), int(end * _NANOSECONDS)


class OtelTurnObserver(TurnObserver):
    """Sends spans over OTLP; the standard variables `OTEL_…` configure endpoint, sampler and resource.

    Args:
        environ: The environment. OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT puts text into spans.
        export: Receives the encoded spans, for tests; by default, they are sent to the endpoint.
    """

    traces = True

    def __init__(self, *, environ: Environ, export: Callable[[bytes], None] | None = None) -> None:
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
            self._open[turn.id] = _OpenTurn(trace=trace, started=turn.started_at.timestamp())
            if len(self._open) > _MAX_OPEN_TURNS:
                self._open.popitem(last=False)

    async def step_finished(self, turn: ObservedTurn, step: StepFinished, *, elapsed: float) -> None:
        opened = self._open.get(turn.id)
        if opened is not None:
            usage, opened.usage = _difference(step.usage, opened.usage), step.usage
            constant = attributes.chat_constant(turn.provider, turn.model)
            times = opened.times(elapsed, step.milliseconds)
            given = attributes.usage_attributes(usage)
            if self.records_content:
                opened.first, opened.last = opened.first or step.content, step.content
                given |= attributes.step_content_attributes(step.content, step.content)
            self._add(_child(opened.trace, constant, times, given))

    async def tool_finished(self, turn: ObservedTurn, tool: ToolFinished, *, elapsed: float) -> None:
        opened = self._open.get(turn.id)
        if opened is not None:
            constant = attributes.tool_constant(tool.name, ok=tool.ok)
            times = opened.times(elapsed, tool.milliseconds)
            given: attributes.Attributes = {attributes.TOOL_CALL: tool.call_id}
            if self.records_content:
                given |= attributes.tool_content_attributes(tool.content)
            self._add(_child(opened.trace, constant, times, given, failed=not tool.ok))

    async def turn_finished(self, turn: ObservedTurn, record: TurnRecord) -> None:
        opened = self._open.pop(turn.id, None)
        if opened is None:
            return
        trace = opened.trace
        start, end = opened.times(record.milliseconds / 1_000, record.milliseconds)
        given = attributes.request_attributes(turn)
        given |= attributes.usage_attributes(
            Usage(record.prompt_tokens, record.completion_tokens, record.cached_tokens)
        )
        given |= attributes.step_content_attributes(opened.first, opened.last)
        failed = record.outcome in FAILED_OUTCOMES
        if failed:
            given[attributes.ERROR] = record.outcome.value
        span = EncodedSpan(
            constant=attributes.agent_constant(
                turn.provider, turn.model, agent_id=turn.instance_id, slug=turn.slug, channel=turn.context.channel
            ),
            trace_id=trace.trace_id,
            span_id=trace.span_id,
            parent_id=trace.parent_id,
            state=trace.state,
            start=start,
            end=end,
            attributes=given,
            failed=failed,
        )
        self._add(encode_span(span))


def _child(
    trace: TraceContext,
    constant: bytes,
    times: tuple[int, int],
    attributes: Mapping[str, AttributeValue],
    *,
    failed: bool = False,
) -> bytes:
    """Returns the encoded span of a model call or a tool call."""
    start, end = times
    span = EncodedSpan(
        constant=constant,
        trace_id=trace.trace_id,
        span_id=f"{random.getrandbits(63) + 1:016x}",
        parent_id=trace.span_id,
        state=trace.state,
        start=start,
        end=end,
        attributes=attributes,
        failed=failed,
    )
    return encode_span(span)


def _difference(total: Usage, earlier: Usage) -> Usage:
    """Returns the tokens of one step, sub-agents' included."""
    return Usage(
        total.prompt_tokens - earlier.prompt_tokens,
        total.completion_tokens - earlier.completion_tokens,
        total.cached_tokens - earlier.cached_tokens,
    ).clamped
