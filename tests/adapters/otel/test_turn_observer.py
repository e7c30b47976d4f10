"""Each turn becomes a trace, with the names of the semantic conventions and without any text."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans, Span, Status
from opentelemetry.semconv._incubating.attributes import error_attributes, gen_ai_attributes

from polyant.adapters.otel import attributes, sdk
from polyant.adapters.otel.turn_observer import OtelTurnObserver
from polyant.domain.chat import StepFinished, ToolFinished, Usage
from polyant.domain.injectables import Environ
from polyant.domain.trace_context import TraceContext
from polyant.domain.turn_records import ObservedTurn, TurnOutcome
from polyant.testing.turn_log import turn_of as record_of
from polyant.testing.turns import CONTEXT, observed_turn

TRACE = TraceContext(trace_id="a" * 32, span_id="b" * 16, parent_id="c" * 16, state="vendor=1")
NAMES = ["chat demo", "execute_tool answer", "execute_tool crm__find", "chat demo", "invoke_agent demo-bot"]


class Tracing:
    def __init__(self) -> None:
        self._encoded: list[bytes] = []
        self.observer = OtelTurnObserver(environ=Environ({}), export=self._encoded.append)

    @property
    def export(self) -> ExportTraceServiceRequest:
        """The request, as a collector decodes it."""
        found: ExportTraceServiceRequest = ExportTraceServiceRequest.FromString(self.observer.request_of(self._encoded))
        return found

    @property
    def scope(self) -> ScopeSpans:
        found: ScopeSpans = self.export.resource_spans[0].scope_spans[0]
        return found

    @property
    def spans(self) -> Mapping[str, Span]:
        return {span.name: span for span in self.scope.spans}

    @property
    def resource(self) -> Mapping[str, object]:
        return values_of(self.export.resource_spans[0].resource)


@pytest.fixture
def tracing() -> Tracing:
    return Tracing()


def values_of(holder: Any) -> dict[str, object]:
    """Returns the attributes of a span or a resource."""
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in holder.attributes}


def traced(trace: TraceContext | None = TRACE) -> ObservedTurn:
    return observed_turn(context=msgspec.structs.replace(CONTEXT, trace=trace))


async def observe(tracing: Tracing, turn: ObservedTurn, outcome: TurnOutcome = TurnOutcome.FINISHED) -> None:
    """Observes a turn with two model calls, and two tool calls of which the second fails."""
    observer = tracing.observer
    await observer.turn_started(turn)
    await observer.step_finished(turn, StepFinished(usage=Usage(10, 1, 4), steps=1, milliseconds=500), elapsed=1)
    for name, ok in (("answer", True), ("crm__find", False)):
        tool = ToolFinished(call_id=f"call_{name}", name=name, milliseconds=250, ok=ok, offered=True)
        await observer.tool_finished(turn, tool, elapsed=1.5)
    await observer.step_finished(turn, StepFinished(usage=Usage(30, 3, 4), steps=2, milliseconds=500), elapsed=2.5)
    record = record_of(outcome=outcome, milliseconds=3_000, prompt_tokens=30, completion_tokens=3, cached_tokens=4)
    await observer.turn_finished(turn, record)


def seconds_of(span: Span, turn: ObservedTurn) -> tuple[float, float]:
    """Returns the start and the end of a span, in seconds after the start of the turn."""
    started = turn.started_at.timestamp()
    return round(span.start_time_unix_nano / 1e9 - started, 3), round(span.end_time_unix_nano / 1e9 - started, 3)


async def test_turn_has_spans_for_itself_its_model_calls_and_its_tools(tracing: Tracing) -> None:
    turn = traced()
    await observe(tracing, turn)
    assert [span.name for span in tracing.scope.spans] == NAMES
    assert [seconds_of(span, turn) for span in tracing.scope.spans] == [
        *((0.5, 1), (1.25, 1.5), (1.25, 1.5), (2, 2.5), (0, 3)),
    ]
    kinds = [span.kind for span in tracing.scope.spans]
    client, internal = Span.SpanKind.SPAN_KIND_CLIENT, Span.SpanKind.SPAN_KIND_INTERNAL
    assert kinds == [client, internal, internal, client, internal]
    assert len({span.span_id for span in tracing.scope.spans}) == 5


async def test_spans_have_the_attributes_of_the_conventions(tracing: Tracing) -> None:
    await observe(tracing, traced())
    spans = tracing.spans
    assert values_of(spans["invoke_agent demo-bot"]) == {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.provider.name": "scripted",
        "gen_ai.request.model": "demo",
        "gen_ai.agent.id": "a1" * 16,
        "gen_ai.agent.name": "demo-bot",
        "gen_ai.conversation.id": "chat-1",
        "gen_ai.usage.input_tokens": 30,
        "gen_ai.usage.output_tokens": 3,
        "gen_ai.usage.cache_read.input_tokens": 4,
        "polyant.request.id": "req_1",
        "polyant.channel": "api",
    }
    assert values_of(spans["chat demo"]) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "scripted",
        "gen_ai.request.model": "demo",
        "gen_ai.usage.input_tokens": 20,
        "gen_ai.usage.output_tokens": 2,
    }
    assert values_of(spans["execute_tool answer"]) == {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "answer",
        "gen_ai.tool.type": "function",
    }
    scope = tracing.scope
    assert (scope.scope.name, scope.schema_url) == ("polyant", "https://opentelemetry.io/schemas/1.44.0")


def test_attribute_names_are_those_of_the_installed_conventions() -> None:
    modules = (gen_ai_attributes, error_attributes)
    known = {value for module in modules for value in vars(module).values() if isinstance(value, str)}
    ours = {
        value
        for name, value in vars(attributes).items()
        if name.isupper() and name not in {"SCHEMA_URL", "OTHER"} and isinstance(value, str)
    }
    assert len(ours) == 18
    assert ours <= known


async def test_turn_is_a_child_of_the_span_of_the_caller(tracing: Tracing) -> None:
    await observe(tracing, traced())
    root = tracing.spans["invoke_agent demo-bot"]
    ids = (root.trace_id.hex(), root.span_id.hex(), root.parent_span_id.hex(), root.trace_state)
    assert ids == (TRACE.trace_id, TRACE.span_id, TRACE.parent_id, "vendor=1")
    for name in ("chat demo", "execute_tool answer"):
        child = tracing.spans[name]
        assert (child.trace_id, child.parent_span_id) == (root.trace_id, root.span_id)


async def test_turn_without_a_caller_span_starts_a_trace_with_the_ids_sent_to_providers(tracing: Tracing) -> None:
    own = TraceContext(trace_id="d" * 32, span_id="e" * 16)
    await observe(tracing, traced(own))
    root = tracing.spans["invoke_agent demo-bot"]
    assert (root.trace_id.hex(), root.span_id.hex(), root.parent_span_id) == (own.trace_id, own.span_id, b"")


async def test_trace_that_the_caller_does_not_sample_has_no_spans(tracing: Tracing) -> None:
    await observe(tracing, traced(msgspec.structs.replace(TRACE, sampled=False)))
    assert list(tracing.scope.spans) == []
    await observe(tracing, traced(None))
    assert [span.name for span in tracing.scope.spans] == NAMES


async def test_operator_chooses_the_sampler(tracing: Tracing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_always_off")
    sdk._sampler.cache_clear()
    try:
        await observe(tracing, traced(None))
        assert list(tracing.scope.spans) == []
    finally:
        sdk._sampler.cache_clear()


@pytest.mark.parametrize(
    ("outcome", "error"),
    [
        (TurnOutcome.FINISHED, None),
        (TurnOutcome.ABANDONED, None),
        (TurnOutcome.FAILED, "failed"),
        (TurnOutcome.TIMED_OUT, "timed_out"),
    ],
)
async def test_failure_is_marked(tracing: Tracing, outcome: TurnOutcome, error: str | None) -> None:
    await observe(tracing, traced(), outcome)
    root, tool = tracing.spans["invoke_agent demo-bot"], tracing.spans["execute_tool crm__find"]
    assert values_of(root).get("error.type") == error
    assert (root.status.code == Status.StatusCode.STATUS_CODE_ERROR) is (error is not None)
    assert values_of(tool)["error.type"] == "tool_error"
    assert tool.status.code == Status.StatusCode.STATUS_CODE_ERROR


async def test_turns_whose_end_was_dropped_are_forgotten(tracing: Tracing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("polyant.adapters.otel.turn_observer._MAX_OPEN_TURNS", 2)
    for number in range(1, 6):
        await tracing.observer.turn_started(observed_turn(id=f"{number:032x}"))
    assert len(tracing.observer._open) == 2


async def test_operator_chooses_the_resource(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Tracing().resource["service.name"] == "polyant"
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.name=assistants,deployment.environment.name=test")
    found = Tracing().resource
    assert (found["service.name"], found["deployment.environment.name"]) == ("assistants", "test")


BUILD = """
import asyncio, sys
from polyant.domain.use_cases.run_turn import RunTurn
from polyant.settings import read_settings
from polyant.wiring import open_container

async def build():
    settings = read_settings({"POLYANT_HOME": sys.argv[1], "TURN_OBSERVERS": sys.argv[2]})
    async with open_container(settings, {}, create=True) as container:
        await container.get(RunTurn)

asyncio.run(build())
print(any(name.split(".")[0] == "opentelemetry" for name in sys.modules))
"""


@pytest.mark.parametrize(("observers", "imported"), [("", "False"), ("otel", "True")])
def test_turns_without_tracing_import_no_sdk(tmp_path: Path, observers: str, imported: str) -> None:
    command = [sys.executable, "-c", BUILD, str(tmp_path), observers]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=dict(os.environ))
    assert done.stdout.strip() == imported
