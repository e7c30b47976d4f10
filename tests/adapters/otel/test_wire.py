from typing import NamedTuple

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from polyant.adapters.otel.wire import EncodedSpan, encode_constant, encode_request, encode_span

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
ATTRIBUTES = st.dictionaries(TEXT, TEXT | st.integers(0, 2**62), max_size=5)
NANOSECONDS = st.integers(0, 2**63)


def hex_digits(length: int) -> st.SearchStrategy[str]:
    return st.binary(min_size=length // 2, max_size=length // 2).map(bytes.hex)


class Kind(NamedTuple):
    """The constant part of a span."""

    name: str
    attributes: dict[str, str | int]
    client: bool


KINDS = st.builds(Kind, TEXT, ATTRIBUTES, st.booleans())
SPANS = st.builds(
    EncodedSpan,
    constant=st.just(b""),
    trace_id=hex_digits(32),
    span_id=hex_digits(16),
    parent_id=st.none() | hex_digits(16),
    state=st.text("abc=,", max_size=20),
    start=NANOSECONDS,
    end=NANOSECONDS,
    attributes=ATTRIBUTES,
    failed=st.booleans(),
)


def decoded(span: Span, shared: int) -> tuple[Kind, EncodedSpan]:
    """Returns a span, of whose attributes the first `shared` ones belong to the constant part."""
    values = [(each.key, getattr(each.value, each.value.WhichOneof("value") or "")) for each in span.attributes]
    return Kind(span.name, dict(values[:shared]), client=span.kind == Span.SpanKind.SPAN_KIND_CLIENT), EncodedSpan(
        constant=b"",
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex() or None,
        state=span.trace_state,
        start=span.start_time_unix_nano,
        end=span.end_time_unix_nano,
        attributes=dict(values[shared:]),
        failed=span.status.code != 0,
    )


@given(st.lists(st.tuples(KINDS, SPANS), max_size=3))
def test_collector_decodes_what_was_encoded(given_spans: list[tuple[Kind, EncodedSpan]]) -> None:
    encoded = [
        encode_span(
            msgspec.structs.replace(span, constant=encode_constant(kind.name, kind.attributes, client=kind.client))
        )
        for kind, span in given_spans
    ]
    body = encode_request({"service.name": "x", "n": 1}, ("polyant", "1"), "https://schema", encoded)
    (resource,) = ExportTraceServiceRequest.FromString(body).resource_spans
    (scope,) = resource.scope_spans
    found = [decoded(span, len(kind.attributes)) for span, (kind, _) in zip(scope.spans, given_spans, strict=True)]
    assert found == given_spans
    assert (scope.scope.name, scope.scope.version, scope.schema_url) == ("polyant", "1", "https://schema")
    assert [each.key for each in resource.resource.attributes] == ["service.name", "n"]


def test_surrogates_in_names_are_replaced() -> None:
    constant = encode_constant("execute_tool \ud800", {"key": "\ud800"})
    span = EncodedSpan(
        constant=constant,
        trace_id="a" * 32,
        span_id="b" * 16,
        parent_id=None,
        state="",
        start=1,
        end=2,
        attributes={},
    )
    body = encode_request({}, ("polyant", "1"), "", [encode_span(span)])
    found = ExportTraceServiceRequest.FromString(body).resource_spans[0].scope_spans[0].spans[0]
    assert (found.name, found.attributes[0].value.string_value) == ("execute_tool ?", "?")
