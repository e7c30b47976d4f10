"""Spans contain no text without the switch; with it they contain the text of a turn without its secrets."""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from typing import Any

import msgspec
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from polyant.adapters.otel.content_switch import VARIABLE
from polyant.adapters.otel.turn_observer import OtelTurnObserver
from polyant.adapters.tool_loop.supervisor import ToolLoopSupervisor
from polyant.domain.chat import (
    AssistantMessage,
    ChatRequest,
    ModelRequest,
    Sampling,
    StepFinished,
    SupervisorEvent,
    TextDelta,
    TextPart,
    ToolCall,
    ToolFinished,
    ToolResult,
    ToolStarted,
    Turn,
    TurnFinished,
    Usage,
    UserMessage,
)
from polyant.domain.errors import PolyantError, ProviderError, ProviderFailure
from polyant.domain.injectables import Environ
from polyant.domain.media.parts import ImagePart
from polyant.domain.ports.supervisor import Supervisor
from polyant.domain.ports.turn_observer import TurnObserver
from polyant.domain.prompts import SectionKey
from polyant.domain.recorded_content import ToolContent
from polyant.domain.secrets import SecretName
from polyant.domain.tools import ToolContext
from polyant.domain.turn_observation import TurnObservation
from polyant.domain.turn_records import ObservedTurn, TurnRecord
from polyant.testing.fakes import FakeStep
from polyant.testing.turns import observed_turn
from support.tool_loop import KEY, Play, ToolLoop

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

    async def run(self, play: Play | None = None) -> dict[str, Span]:
        """Returns the spans of a turn by name; of several with one name, the last one.

        Args:
            play: The steps of the model; by default two, with a tool call between.
        """
        supervisor = ToolLoopSupervisor(toolbox=self.loop.toolbox(self.loop.model(play or self._steps)))
        return {span.name: span for span in await self.spans(supervisor)}

    async def spans(self, supervisor: Supervisor) -> list[Span]:
        """Returns the spans of a turn of a Supervisor, in the order of their ends."""
        observers: dict[str, TurnObserver] = {"otel": self.observer, "other": self.other}
        clock, turn, error = self.loop.clock, self.turn, None
        async with TurnObservation(observers) as observation:
            recorder = self.loop.recording(observers).recorder(
                observed_turn(),
                observation,
                clock,
                started=clock.monotonic(),
                instance=turn.instance,
                request=ChatRequest(
                    model=turn.instance.slug, messages=turn.messages, caller_instructions=turn.caller_instructions
                ),
            )
            await recorder.prepare()
            recorder.start()
            try:
                async for event in supervisor.run(msgspec.structs.replace(turn, recorder=recorder)):
                    recorder.take(event)
            except PolyantError as raised:
                error = raised
            recorder.finish(error)
        return self.exported

    @property
    def exported(self) -> list[Span]:
        return list(self._export.resource_spans[0].scope_spans[0].spans)

    @property
    def _steps(self) -> list[FakeStep]:
        arguments = json.dumps({"city": "canary city", "token": TOKEN}).replace("token-", r"\u0074oken-")
        return [
            FakeStep(text=("canary thought",), calls=(ToolCall(id="call_1", name="crm", arguments=arguments),)),
            FakeStep(text=("canary ", f"reply {KEY}")),
        ]

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


@pytest.mark.parametrize("environ", [{}, ON])
async def test_names_and_ids_that_the_model_invents_name_no_span(environ: Mapping[str, str]) -> None:
    traced = TracedTurn(environ)
    invented = ToolCall(id="canary-id", name="canary_tool", arguments='{"city": "canary city"}')
    spans = await traced.run([FakeStep(calls=(invented,)), FakeStep(text=("done",))])
    assert set(spans) == {"chat demo", "execute_tool _OTHER", "invoke_agent demo-bot"}
    tool = values_of(spans["execute_tool _OTHER"])
    assert (tool["gen_ai.tool.name"], tool["error.type"]) == ("_OTHER", "tool_error")
    if not environ:
        assert CANARY.encode() not in traced.raw
    else:
        assert tool["gen_ai.tool.call.id"] == "canary-id"
        assert "canary_tool" in tool["gen_ai.tool.call.result"]  # the model reads which name doesn't exist


async def test_secrets_in_names_and_ids_are_removed() -> None:
    traced = TracedTurn(ON)
    call = ToolCall(id=f"id {OTHER}", name=OTHER, arguments="{}")
    spans = await traced.run([FakeStep(calls=(call,)), FakeStep(text=("done",))])
    assert OTHER.encode() not in traced.raw
    assert values_of(spans["execute_tool _OTHER"])["gen_ai.tool.call.id"] == "id [other_secret]"


@pytest.mark.parametrize("environ", [{}, ON])
async def test_failed_model_call_has_a_span_with_its_error(environ: Mapping[str, str]) -> None:
    traced = TracedTurn(environ)
    failing = FakeStep(text=(f"canary part {KEY}",), fails=ProviderFailure.OVERLOADED)
    spans = await traced.run([FakeStep(tools=("crm",)), failing])
    values = values_of(spans["chat demo"])
    assert values["error.type"] == "overloaded"
    assert spans["chat demo"].status.code == Status.StatusCode.STATUS_CODE_ERROR
    assert "gen_ai.usage.input_tokens" not in values
    assert KEY.encode() not in traced.raw
    if not environ:
        assert CANARY.encode() not in traced.raw
        return
    assert [message["role"] for message in json.loads(values["gen_ai.input.messages"])][-2:] == ["assistant", "tool"]
    assert json.loads(values["gen_ai.output.messages"]) == [
        {
            "role": "assistant",
            "parts": [{"type": "text", "content": "canary part [fake_api_key]"}],
            "finish_reason": "error",
        }
    ]
    turn = values_of(spans["invoke_agent demo-bot"])
    assert turn["gen_ai.output.messages"] == values["gen_ai.output.messages"]


async def test_model_call_of_a_caller_that_goes_away_is_no_failure() -> None:
    traced = TracedTurn(ON)
    model = traced.loop.model([FakeStep(text=("canary part",), hangs=True)])
    supervisor = ToolLoopSupervisor(toolbox=traced.loop.toolbox(model))
    turn = asyncio.create_task(traced.spans(supervisor))
    await traced.loop.activity.hanging()
    turn.cancel()
    await asyncio.wait([turn])
    (span,) = traced.exported
    assert (values_of(span)["error.type"], span.status.code) == ("cancelled", Status.StatusCode.STATUS_CODE_UNSET)
    assert "canary part" in values_of(span)["gen_ai.output.messages"]


@pytest.mark.parametrize("environ", [{}, ON])
async def test_calls_of_sub_agents_have_spans(environ: Mapping[str, str]) -> None:
    traced = TracedTurn(environ)

    async def delegate(_: object, context: ToolContext) -> str:
        return await context.delegate(f"canary task {OTHER}")

    traced.loop.add_tool("delegate", delegate)

    def play(request: ModelRequest) -> FakeStep:
        if isinstance(request.messages[-1], ToolResult):
            return FakeStep(text=("canary reply",), usage=Usage(1, 1))
        is_sub_agent = "canary task" in getattr(request.messages[-1], "text", "")
        return FakeStep(tools=("crm",) if is_sub_agent else ("delegate",), usage=Usage(10, 1))

    supervisor = ToolLoopSupervisor(toolbox=traced.loop.toolbox(traced.loop.model(play)))
    spans = await traced.spans(supervisor)
    assert [span.name for span in spans] == [
        *("chat demo", "chat demo", "execute_tool crm", "chat demo", "execute_tool delegate", "chat demo"),
        "invoke_agent demo-bot",
    ]
    assert [values_of(span).get("gen_ai.usage.input_tokens") for span in spans if span.name == "chat demo"] == [
        *(10, 10, 1, 1)
    ]
    assert OTHER.encode() not in traced.raw
    if not environ:
        assert CANARY.encode() not in traced.raw
        return
    assert "canary task [other_secret]" in values_of(spans[1])["gen_ai.input.messages"]
    assert "canary result for [crm_token]" in values_of(spans[2])["gen_ai.tool.call.result"]
    assert "canary question" in values_of(spans[-1])["gen_ai.input.messages"]  # those of the turn's own first call
    assert [event.sub_agent for event in traced.other.received] == [False, True, True, True, False, False]


class OwnSupervisor(Supervisor):
    """A Supervisor that doesn't use the Toolbox.

    Args:
        fails: Whether its second model call fails.
    """

    def __init__(self, *, fails: bool = False) -> None:
        self._fails = fails

    async def run(self, turn: Turn) -> AsyncGenerator[SupervisorEvent, None]:
        yield TextDelta(f"canary thought {OTHER[:5]}")
        yield TextDelta(OTHER[5:])
        yield StepFinished(usage=Usage(3, 1), steps=1, milliseconds=1)
        yield ToolStarted(call_id="1", name="canary_tool")
        content = ToolContent(call_id="1", arguments=f'{{"key": "{OTHER}"}}', result="y" * 1_000_000)
        yield ToolFinished(call_id="1", name="canary_tool", milliseconds=1, ok=True, content=content)
        yield TextDelta("canary reply")
        if self._fails:
            raise ProviderError("own", ProviderFailure.RATE_LIMIT)
        yield StepFinished(usage=Usage(5, 2), steps=2, milliseconds=1)
        yield TurnFinished(usage=Usage(5, 2), steps=2, milliseconds=1)


@pytest.mark.parametrize("fails", [True, False])
async def test_text_of_a_supervisor_without_the_toolbox_is_that_of_the_turn(*, fails: bool) -> None:
    traced = TracedTurn(ON)
    spans = await traced.spans(OwnSupervisor(fails=fails))
    assert [span.name for span in spans] == [
        *("chat demo", "execute_tool _OTHER", "chat demo"),
        "invoke_agent demo-bot",
    ]
    first, tool, second, turn = map(values_of, spans)
    assert OTHER.encode() not in traced.raw
    assert "canary question" in first["gen_ai.input.messages"]
    assert "canary instruction" in first["gen_ai.system_instructions"]
    assert "canary thought [other_secret]" in first["gen_ai.output.messages"]
    assert "canary thought [other_secret]" in second["gen_ai.input.messages"]
    (reply,) = json.loads(second["gen_ai.output.messages"])
    assert reply["parts"] == [{"type": "text", "content": "canary reply"}]
    assert reply["finish_reason"] == ("error" if fails else "stop")
    assert second.get("error.type") == ("rate_limit" if fails else None)
    assert tool["gen_ai.tool.call.arguments"] == '{"key": "[other_secret]"}'
    assert tool["gen_ai.tool.call.result"] == "[1000000 characters left out]"
    assert turn["gen_ai.output.messages"] == second["gen_ai.output.messages"]


async def test_text_of_a_supervisor_without_the_toolbox_is_off_by_default() -> None:
    traced = TracedTurn({})
    await traced.spans(OwnSupervisor())
    assert CANARY.encode() not in traced.raw
    assert {event.content for event in traced.other.received} <= {None}
