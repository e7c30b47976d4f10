from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from polyant.adapters.otel.wire import (
    count_encoder,
    encode_attributes,
    encode_constant,
    encode_position,
    encode_request,
    encode_span,
    text_encoder,
)

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


class Fields(NamedTuple):
    """The other fields of a span."""

    trace_id: str
    span_id: str
    parent_id: str | None
    state: str
    start: int
    end: int
    attributes: dict[str, str | int]
    failed: bool

    def encoded(self, constant: bytes) -> bytes:
        return encode_span(
            constant,
            encode_position(self.trace_id, self.parent_id, self.state),
            bytes.fromhex(self.span_id),
            start=self.start,
            end=self.end,
            attributes=encode_attributes(self.attributes),
            failed=self.failed,
        )


KINDS = st.builds(Kind, TEXT, ATTRIBUTES, st.booleans())
FIELDS = st.builds(
    Fields,
    trace_id=hex_digits(32),
    span_id=hex_digits(16),
    parent_id=st.none() | hex_digits(16),
    state=st.text("abc=,", max_size=20),
    start=NANOSECONDS,
    end=NANOSECONDS,
    attributes=ATTRIBUTES,
    failed=st.booleans(),
)


def values_of(span: Span) -> list[tuple[str, str | int]]:
    return [(each.key, getattr(each.value, each.value.WhichOneof("value") or "")) for each in span.attributes]


def spans_in(*encoded: bytes) -> list[Span]:
    body = encode_request({}, ("polyant", "1"), "", encoded)
    return list(ExportTraceServiceRequest.FromString(body).resource_spans[0].scope_spans[0].spans)


def decoded(span: Span, shared: int) -> tuple[Kind, Fields]:
    """Returns a span, of whose attributes the first `shared` ones belong to the constant part."""
    values = values_of(span)
    return Kind(span.name, dict(values[:shared]), client=span.kind == Span.SpanKind.SPAN_KIND_CLIENT), Fields(
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex() or None,
        state=span.trace_state,
        start=span.start_time_unix_nano,
        end=span.end_time_unix_nano,
        attributes=dict(values[shared:]),
        failed=span.status.code != 0,
    )


@given(st.lists(st.tuples(KINDS, FIELDS), max_size=3))
def test_collector_decodes_what_was_encoded(given_spans: list[tuple[Kind, Fields]]) -> None:
    encoded = [
        fields.encoded(encode_constant(kind.name, kind.attributes, client=kind.client)) for kind, fields in given_spans
    ]
    body = encode_request({"service.name": "x", "n": 1}, ("polyant", "1"), "https://schema", encoded)
    (resource,) = ExportTraceServiceRequest.FromString(body).resource_spans
    (scope,) = resource.scope_spans
    found = [decoded(span, len(kind.attributes)) for span, (kind, _) in zip(scope.spans, given_spans, strict=True)]
    assert found == given_spans
    assert (scope.scope.name, scope.scope.version, scope.schema_url) == ("polyant", "1", "https://schema")
    assert [each.key for each in resource.resource.attributes] == ["service.name", "n"]


@given(TEXT, st.integers(0, 2**62))
def test_counts_are_attributes(name: str, count: int) -> None:
    (span,) = spans_in(encode_span(b"", b"", b"12345678", start=1, end=2, attributes=count_encoder(name)(count)))
    assert values_of(span) == [(name, count)]


@given(TEXT, TEXT)
def test_texts_are_attributes(name: str, text: str) -> None:
    (span,) = spans_in(encode_span(b"", b"", b"12345678", start=1, end=2, attributes=text_encoder(name)(text)))
    assert values_of(span) == [(name, text)]


def test_surrogates_in_names_are_replaced() -> None:
    constant = encode_constant("execute_tool \ud800", {"key": "\ud800"})
    (span,) = spans_in(encode_span(constant, encode_position("a" * 32, None, ""), b"b" * 8, start=1, end=2))
    assert (span.name, span.attributes[0].value.string_value) == ("execute_tool ?", "?")
