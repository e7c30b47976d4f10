"""Spans contain no text without the switch; with it they contain the text of a turn without its secrets."""

import json
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from polyant.adapters.otel.content_switch import VARIABLE
from polyant.adapters.otel.turn_observer import OtelTurnObserver
from polyant.adapters.tool_loop.supervisor import ToolLoopSupervisor
from polyant.domain.chat import (
    AssistantMessage,
    Sampling,
    StepFinished,
    TextPart,
    ToolCall,
    ToolFinished,
    Turn,
    UserMessage,
)
from polyant.domain.injectables import Environ
from polyant.domain.media.parts import ImagePart
from polyant.domain.ports.turn_observer import TurnObserver
from polyant.domain.prompts import SectionKey
from polyant.domain.secrets import SecretName
from polyant.domain.tools import ToolContext
from polyant.domain.turn_content import ContentRecording
from polyant.domain.turn_observation import TurnObservation
from polyant.domain.turn_recorder import TurnRecorder
from polyant.domain.turn_records import ObservedTurn, TurnRecord
from polyant.testing.fakes import FakeStep
from polyant.testing.turns import observed_turn
from support.tool_loop import KEY, ToolLoop

CANARY = "canary"
"""Part of every text of the turn."""
TOKEN = 'token-"quoted"-0123456789'
OTHER = "other-secret-0123456789"
ON = {VARIABLE: "SPAN_ONLY"}


class Arguments(msgspec.Struct, frozen=True):
    city: str = ""
    token: str = ""


async def echo(_: object, context: ToolContext) -> str:
    token = context.secrets[SecretName("crm_token")].reveal()
    return f"canary result for {token}, {json.dumps({'token': token, 'key': OTHER})}"


class OtherObserver(TurnObserver):
    """An observer that doesn't ask for text."""

    def __init__(self) -> None:
        self.received: list[StepFinished | ToolFinished] = []

    async def turn_started(self, turn: ObservedTurn) -> None: ...

    async def step_finished(self, turn: ObservedTurn, step: StepFinished, *, elapsed: float) -> None:
        self.received.append(step)

    async def tool_finished(self, turn: ObservedTurn, tool: ToolFinished, *, elapsed: float) -> None:
        self.received.append(tool)

    async def turn_finished(self, turn: ObservedTurn, record: TurnRecord) -> None: ...


class TracedTurn:
    """A turn with every kind of text, and its spans."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.loop = loop = ToolLoop()
        self._encoded: list[bytes] = []
        self.other = OtherObserver()
        self.observer = OtelTurnObserver(environ=Environ(environ), export=self._encoded.append)
        loop.add_tool("crm", echo, arguments=Arguments, secrets=(SecretName("crm_token"),))
        loop.set_secret("crm_token", TOKEN)
        loop.set_secret("other_secret", OTHER)
        loop.instance = msgspec.structs.replace(
            loop.instance, tools=("crm",), sections={SectionKey.IDENTITY: f"canary section with {OTHER}"}
        )

    @property
    def turn(self) -> Turn:
        image = ImagePart(media_type="image/png", data=b"canary picture")
        return msgspec.structs.replace(
            self.loop.turn,
            messages=(
                UserMessage.of("canary question"),
                AssistantMessage("canary answer"),
                UserMessage((TextPart(f"canary again, {KEY}"), image)),
            ),
            caller_instructions=("canary instruction",),
            sampling=Sampling(stop=("canary stop",)),
        )

    async def run(self) -> dict[str, Span]:
        """Returns the spans of a turn with one tool call, by name; of both model calls, the second one."""
        arguments = json.dumps({"city": "canary city", "token": TOKEN}).replace("token-", r"\u0074oken-")
        steps = [
            FakeStep(text=("canary thought",), calls=(ToolCall(id="call_1", name="crm", arguments=arguments),)),
            FakeStep(text=("canary ", f"reply {KEY}")),
        ]
        observers: dict[str, TurnObserver] = {"otel": self.observer, "other": self.other}
        content = ContentRecording(observers=observers, cipher=self.loop.cipher)
        supervisor = ToolLoopSupervisor(toolbox=self.loop.toolbox(self.loop.model(steps), content))
        async with TurnObservation(observers) as observation:
            recorder = TurnRecorder(observed_turn(), observation, self.loop.clock, started=self.loop.clock.monotonic())
            recorder.start()
            async for event in supervisor.run(self.turn):
                recorder.take(event)
            recorder.finish(None)
        return {span.name: span for span in self._export.resource_spans[0].scope_spans[0].spans}

    @property
    def raw(self) -> bytes:
        """Everything that was exported."""
        return b"".join(self._encoded)

    @property
    def _export(self) -> ExportTraceServiceRequest:
        found: ExportTraceServiceRequest = ExportTraceServiceRequest.FromString(self.observer.request_of(self._encoded))
        return found


def values_of(span: Span) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value") or "") for each in span.attributes}


@pytest.mark.parametrize("value", [None, "", "NO_CONTENT", "no_content", "false", "EVENT_ONLY"])
async def test_no_text_reaches_a_span_by_default(value: str | None) -> None:
    traced = TracedTurn({} if value is None else {VARIABLE: value})
    spans = await traced.run()
    assert set(spans) == {"chat demo", "execute_tool crm", "invoke_agent demo-bot"}
    assert CANARY.encode() not in traced.raw
    assert not any(secret.encode() in traced.raw for secret in (TOKEN, OTHER, KEY))
    assert not any(span.events for span in spans.values())
    assert [event.content for event in traced.other.received] == [None, None, None]


@pytest.mark.parametrize("value", ["SPAN_ONLY", "span_and_event", "true"])
async def test_switch_puts_the_text_of_model_calls_into_their_spans(value: str) -> None:
    values = values_of((await TracedTurn({VARIABLE: value}).run())["chat demo"])
    (system,) = json.loads(values["gen_ai.system_instructions"])
    assert system["type"] == "text"
    assert "canary section with [other_secret]" in system["content"]
    assert system["content"].endswith("canary instruction")
    assert json.loads(values["gen_ai.input.messages"]) == [
        {"role": "user", "parts": [{"type": "text", "content": "canary question"}]},
        {"role": "assistant", "parts": [{"type": "text", "content": "canary answer"}]},
        {
            "role": "user",
            "parts": [
                {"type": "text", "content": "canary again, [fake_api_key]"},
                {"type": "image", "mime_type": "image/png", "bytes": 14},
            ],
        },
        {
            "role": "assistant",
            "parts": [
                {"type": "text", "content": "canary thought"},
                {
                    "type": "tool_call",
                    "id": "call_1",
                    "name": "crm",
                    "arguments": {"city": "canary city", "token": "[crm_token]"},
                },
            ],
        },
        {
            "role": "tool",
            "parts": [
                {
                    "type": "tool_call_response",
                    "id": "call_1",
                    "response": 'canary result for [crm_token], {"token": "[crm_token]", "key": "[other_secret]"}',
                }
            ],
        },
    ]
    assert json.loads(values["gen_ai.output.messages"]) == [
        {
            "role": "assistant",
            "parts": [{"type": "text", "content": "canary reply [fake_api_key]"}],
            "finish_reason": "stop",
        }
    ]


async def test_turn_has_the_input_of_its_first_call_and_the_output_of_its_last_one() -> None:
    spans = await TracedTurn(ON).run()
    values = values_of(spans["invoke_agent demo-bot"])
    assert [message["role"] for message in json.loads(values["gen_ai.input.messages"])] == ["user", "assistant", "user"]
    assert values["gen_ai.output.messages"] == values_of(spans["chat demo"])["gen_ai.output.messages"]
    assert "canary instruction" in values["gen_ai.system_instructions"]


async def test_tools_have_their_arguments_and_results() -> None:
    values = values_of((await TracedTurn(ON).run())["execute_tool crm"])
    assert json.loads(values["gen_ai.tool.call.arguments"]) == {"city": "canary city", "token": "[crm_token]"}
    assert values["gen_ai.tool.call.result"].startswith("canary result for [crm_token]")


async def test_no_secret_of_the_instance_reaches_a_span() -> None:
    traced = TracedTurn(ON)
    await traced.run()
    escaped = (form for secret in (TOKEN, OTHER, KEY) for form in (secret, json.dumps(secret)[1:-1]))
    assert [form for form in escaped if form.encode() in traced.raw] == []
    assert b"canary picture" not in traced.raw


async def test_observers_that_do_not_ask_for_text_receive_none() -> None:
    traced = TracedTurn(ON)
    await traced.run()
    assert [event.content for event in traced.other.received] == [None, None, None]


async def test_text_is_not_recorded_if_a_secret_cannot_be_removed() -> None:
    traced = TracedTurn(ON)
    secrets = dict(traced.loop.instance.secrets)
    name = SecretName("other_secret")
    secrets[name] = msgspec.structs.replace(secrets[name], sealed="v1:nonsense")
    traced.loop.instance = msgspec.structs.replace(traced.loop.instance, secrets=secrets)
    spans = await traced.run()
    assert "invoke_agent demo-bot" in spans
    assert CANARY.encode() not in traced.raw


def test_invalid_switch_is_refused() -> None:
    with pytest.raises(ValueError, match=f"{VARIABLE} must be SPAN_ONLY") as caught:
        OtelTurnObserver(environ=Environ({VARIABLE: "yes please"}))
    assert "yes please" not in str(caught.value)
