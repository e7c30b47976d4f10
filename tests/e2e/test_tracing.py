"""A turn is part of its caller's trace, and so are the provider's requests."""

from pathlib import Path

import httpx
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from support.openai_replies import openai_responder
from support.patience import PATIENCE
from support.process import Server, run_polyant, serving
from support.upstream import Reply, UpstreamThread, upstream_in_thread

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = "00f067aa0ba902b7"
HEADERS = {"traceparent": f"00-{TRACE}-{CALLER}-01", "tracestate": "vendor=1"}


def set_up(server: Server, upstream: UpstreamThread) -> None:
    url = f"{upstream.upstream.url}/v1"
    created = run_polyant(
        server.folder, "instances", "create", "relay", "--provider", "openai", "--model", "tiny", "--base-url", url
    )
    assert created.returncode == 0, created.stderr


def ask(server: Server, headers: dict[str, str]) -> None:
    body = {"model": "relay", "messages": [{"role": "user", "content": "my secret question"}]}
    answer = httpx.post(f"{server.base_url}/chat/completions", json=body, headers=headers, timeout=PATIENCE)
    assert answer.status_code == 200, answer.text


def spans_of(collector: UpstreamThread) -> list[Span]:
    exports = [ExportTraceServiceRequest.FromString(request.body) for request in collector.upstream.posts]
    return [
        span
        for export in exports
        for resource in export.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def test_spans_are_exported_and_the_provider_gets_the_span_of_the_turn(tmp_path: Path) -> None:
    with upstream_in_thread() as upstream, upstream_in_thread() as collector:
        collector.upstream.otherwise = Reply(headers={"Content-Type": "application/x-protobuf"})
        upstream.upstream.otherwise = openai_responder("my secret answer")
        endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.upstream.url, "OTEL_EXPORTER_OTLP_COMPRESSION": "none"}
        with serving(tmp_path, TURN_OBSERVERS="otel", **endpoint) as server:
            set_up(server, upstream)
            ask(server, HEADERS)
            server.stop()  # exports what is waiting
        (request,) = upstream.upstream.posts
        spans = {span.name: span for span in spans_of(collector)}
    assert set(spans) == {"invoke_agent relay", "chat tiny"}
    turn = spans["invoke_agent relay"]
    assert (turn.trace_id.hex(), turn.parent_span_id.hex()) == (TRACE, CALLER)
    assert spans["chat tiny"].parent_span_id == turn.span_id
    assert request.headers["traceparent"] == f"00-{TRACE}-{turn.span_id.hex()}-01"
    assert request.headers["tracestate"] == "vendor=1"
    assert not any(b"my secret" in post.body for post in collector.upstream.posts)


def test_without_tracing_the_headers_of_the_caller_are_passed_on(engine: Server, upstream: UpstreamThread) -> None:
    upstream.upstream.replies += [openai_responder("Hello!")] * 2
    for headers in (HEADERS, {}):
        ask(engine, headers)
    traced, untraced = upstream.upstream.posts
    assert {name: traced.headers.get(name) for name in HEADERS} == HEADERS
    assert "traceparent" not in untraced.headers
