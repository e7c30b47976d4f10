"""Spans reach the collector, wait while it is away, and never slow down a turn."""

import gzip
from collections.abc import AsyncIterator

import pytest

from polyant.adapters.otel import export as export_module
from polyant.adapters.otel.endpoint import endpoint_in
from polyant.adapters.otel.export import SpanExport
from polyant.domain.injectables import Environ
from support.logs import collected
from support.patience import seconds
from support.upstream import HANG_BEFORE_HEAD, Reply, ScriptedUpstream

DONE = Reply()


@pytest.fixture
async def collector(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ScriptedUpstream]:
    monkeypatch.setattr(export_module, "_INTERVAL_SECONDS", 0.01)
    async with ScriptedUpstream() as upstream:
        upstream.otherwise = DONE
        yield upstream


def export_to(collector: ScriptedUpstream, **variables: str) -> SpanExport:
    prefixed = {f"OTEL_EXPORTER_OTLP_{name}": value for name, value in variables.items()}
    environ = Environ({"OTEL_EXPORTER_OTLP_ENDPOINT": f"{collector.url}/", **prefixed})
    return SpanExport(endpoint_in(environ), b"|".join)


async def test_spans_are_sent_in_batches_with_the_headers_of_the_operator(collector: ScriptedUpstream) -> None:
    export = export_to(collector, HEADERS="api-key=a%20b, x=y", COMPRESSION="gzip")
    export.add(b"one")
    export.add(b"two")
    request = await collector.request()
    assert (request.method, request.path) == ("POST", "/v1/traces")
    assert gzip.decompress(request.body) == b"one|two"
    names = ("content-type", "content-encoding", "api-key", "x")
    assert [request.headers[name] for name in names] == ["application/x-protobuf", "gzip", "a b", "y"]
    await export.close(seconds=seconds(5))


@pytest.mark.parametrize("status", [429, 503])
async def test_spans_wait_while_the_collector_is_away(collector: ScriptedUpstream, status: int) -> None:
    collector.replies.append(Reply(status=status))
    export = export_to(collector)
    with collected("polyant.turn") as records:
        export.add(b"one")
        bodies = [(await collector.request(number)).body for number in range(2)]
        await export.close(seconds=seconds(5))
    assert bodies == [b"one", b"one"]
    assert [record.getMessage() for record in records] == [f"spans can't be exported: {status}"]


async def test_refused_spans_are_dropped_and_logged(collector: ScriptedUpstream) -> None:
    collector.replies.append(Reply(status=400))
    export = export_to(collector)
    with collected("polyant.turn") as records:
        export.add(b"one")
        await collector.request()
        export.add(b"two")
        assert (await collector.request(1)).body == b"two"
        await export.close(seconds=seconds(5))
    assert [record.getMessage() for record in records] == ["the collector refuses spans: 400"]


async def test_closing_sends_what_waits(collector: ScriptedUpstream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_module, "_INTERVAL_SECONDS", 3_600)
    monkeypatch.setattr(export_module, "_BATCH", 2)
    export = export_to(collector)
    for span in (b"one", b"two", b"three"):
        export.add(span)
    await export.close(seconds=seconds(5))
    assert [request.body for request in collector.requests] == [b"one|two", b"three"]


async def test_closing_gives_up_on_a_collector_that_hangs(collector: ScriptedUpstream) -> None:
    collector.otherwise = HANG_BEFORE_HEAD
    export = export_to(collector)
    with collected("polyant.turn") as records:
        export.add(b"one")
        await export.close(seconds=0.05)
    assert [record.getMessage() for record in records] == ["the collector does not respond: spans are lost"]


@pytest.mark.parametrize(
    ("bound", "value", "sent"), [("MAX_WAITING", 2, b"three|four"), ("MAX_WAITING_BYTES", 8, b"four")]
)
async def test_oldest_spans_are_dropped_when_those_that_wait_are_too_many_or_too_large(
    collector: ScriptedUpstream, monkeypatch: pytest.MonkeyPatch, bound: str, value: int, sent: bytes
) -> None:
    monkeypatch.setattr(export_module, bound, value)
    export = export_to(collector)
    with collected("polyant.turn") as records:
        for span in (b"one", b"two", b"three", b"four"):
            export.add(span)
        assert (await collector.request()).body == sent
        export.add(b"larger than all others")  # a span is never too large to be sent alone
        assert (await collector.request(1)).body == b"larger than all others"
    await export.close(seconds=seconds(5))
    assert [record.getMessage() for record in records] == ["the collector is too slow: spans are dropped"]


async def test_batches_are_bounded_in_size(collector: ScriptedUpstream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_module, "_INTERVAL_SECONDS", 3_600)
    monkeypatch.setattr(export_module, "_BATCH_BYTES", 6)
    export = export_to(collector)
    for span in (b"one", b"two", b"three"):
        export.add(span)
    await export.close(seconds=seconds(5))
    assert [request.body for request in collector.requests] == [b"one|two", b"three"]


def test_endpoint_for_traces_is_used_as_it_is() -> None:
    names = {"ENDPOINT": "http://other:1", "TRACES_ENDPOINT": "https://collector:2/custom", "TRACES_TIMEOUT": "3"}
    endpoint = endpoint_in(Environ({f"OTEL_EXPORTER_OTLP_{name}": value for name, value in names.items()}))
    assert (endpoint.url, endpoint.seconds, endpoint.compressed) == ("https://collector:2/custom", 3, False)
    assert endpoint_in(Environ({})).url == "http://localhost:4318/v1/traces"


def test_headers_are_not_in_a_repr() -> None:
    endpoint = endpoint_in(Environ({"OTEL_EXPORTER_OTLP_HEADERS": "api-key=secret"}))
    assert "secret" not in repr(endpoint)


@pytest.mark.parametrize(
    ("name", "value"), [("ENDPOINT", "collector:4317"), ("HEADERS", "key"), ("TIMEOUT", "soon"), ("TIMEOUT", "0")]
)
def test_invalid_variable_is_named(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=f"OTEL_EXPORTER_OTLP_{name} must be") as caught:
        endpoint_in(Environ({f"OTEL_EXPORTER_OTLP_{name}": value}))
    assert value not in str(caught.value).split(" must be")[0]
