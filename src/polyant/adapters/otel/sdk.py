"""The parts of the OpenTelemetry SDK that its standard variables configure: sampler and resource."""

from collections.abc import Mapping
from functools import cache

from opentelemetry import trace as api
from opentelemetry.context import Context
from opentelemetry.sdk.resources import OTELResourceDetector
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import DEFAULT_ON, Decision, Sampler
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, TraceFlags

from polyant import __version__
from polyant.domain.injectables import Environ
from polyant.domain.trace_context import TraceContext

_SERVICE = "service.name"
_NO_PARENT = Context()


def resource_attributes(environ: Environ) -> Mapping[str, object]:
    """Returns the attributes of OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME; the service is `polyant` by default."""
    detected = OTELResourceDetector().detect().attributes
    name = environ.get("OTEL_SERVICE_NAME") or detected.get(_SERVICE) or "polyant"
    return {"service.version": __version__, **detected, _SERVICE: name}


def is_sampled(trace: TraceContext, slug: str) -> bool:
    """Returns whether the sampler of OTEL_TRACES_SAMPLER records a turn's span.

    Args:
        trace: The trace, with the turn's span.
        slug: The instance that runs the turn.
    """
    sampler = _sampler()
    if sampler is DEFAULT_ON:  # saves the SDK's objects, a tenth of the cost of tracing
        return trace.sampled
    parent = _NO_PARENT if trace.parent_id is None else _parent_context(trace, trace.parent_id)
    sampling = sampler.should_sample(parent, int(trace.trace_id, 16), f"invoke_agent {slug}", SpanKind.INTERNAL)
    return sampling.decision is not Decision.DROP


@cache
def _sampler() -> Sampler:
    return TracerProvider(shutdown_on_exit=False).sampler


def _parent_context(trace: TraceContext, parent_id: str) -> Context:
    flags = TraceFlags(TraceFlags.SAMPLED if trace.sampled else TraceFlags.DEFAULT)
    caller = SpanContext(int(trace.trace_id, 16), int(parent_id, 16), is_remote=True, trace_flags=flags)
    return api.set_span_in_context(NonRecordingSpan(caller), Context())
