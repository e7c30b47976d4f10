import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyant.domain.trace_context import TraceContext, parse_trace, trace_headers
from polyant.domain.turn_tracing import TurnTracing

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"
TURN = "0123456789abcdef" * 2


class Tracer:
    traces = True


@pytest.mark.parametrize("flags", ["00", "01"])
def test_valid_header_is_passed_on_unchanged(flags: str) -> None:
    header = f"00-{TRACE}-{SPAN}-{flags}"
    trace = parse_trace(header, "vendor=1,other=2")
    assert trace is not None
    assert trace.headers == {"traceparent": header, "tracestate": "vendor=1,other=2"}


@pytest.mark.parametrize(
    "header",
    [
        *("", "00", PARENT.upper(), f"ff-{TRACE}-{SPAN}-01", f"00-{'0' * 32}-{SPAN}-01", f"00-{TRACE}-{'0' * 16}-01"),
        *(f"{PARENT}-more", f"00-{TRACE}-{SPAN}-0g", f"00-{TRACE}-{SPAN}", f"{PARENT}\nX: y"),
    ],
)
def test_invalid_header_is_ignored(header: str) -> None:
    assert parse_trace(header) is None


def test_later_version_is_read_like_the_first_one() -> None:
    trace = parse_trace(f"01-{TRACE}-{SPAN}-03-more")
    assert trace is not None
    assert trace.headers == {"traceparent": PARENT}


@pytest.mark.parametrize("state", ["", "x" * 513, "a=\x00", "a=ü"])
def test_unusable_state_is_dropped(state: str) -> None:
    trace = parse_trace(PARENT, state)
    assert trace is not None
    assert "tracestate" not in trace.headers


@given(st.text())
def test_any_text_is_parsed_or_ignored(text: str) -> None:
    trace = parse_trace(text, text)
    assert trace is None or parse_trace(trace.headers["traceparent"]) is not None


def test_without_spans_the_trace_of_the_caller_is_passed_on() -> None:
    tracing = TurnTracing(observers={"other": object()})  # type: ignore[dict-item]
    assert tracing.begin(None, TURN) is None
    caller = parse_trace(PARENT)
    assert tracing.begin(caller, TURN) is caller
    assert trace_headers(None) == {}


def test_with_spans_the_span_of_the_turn_is_passed_on() -> None:
    tracing = TurnTracing(observers={"tracer": Tracer()})  # type: ignore[dict-item]
    assert tracing.begin(None, TURN) == TraceContext(trace_id=TURN, span_id=TURN[16:])
    begun = tracing.begin(parse_trace(f"00-{TRACE}-{SPAN}-00", "vendor=1"), TURN)
    assert begun == TraceContext(trace_id=TRACE, span_id=TURN[16:], parent_id=SPAN, sampled=False, state="vendor=1")
