"""A Supervisor with a loop of its own gets everything that its port demands from the toolbox."""

import asyncio
import gc
from contextlib import aclosing
from datetime import datetime

import msgspec
import pytest

from polyant.adapters.system.date_time_formatter import SystemDateTimeFormatter
from polyant.adapters.tools.spawn_task_tool import SpawnTaskTool
from polyant.domain.agent_loop.budget import OutOfStepsError
from polyant.domain.chat import (
    AssistantMessage,
    ModelRequest,
    ProviderData,
    Sampling,
    TextDelta,
    ToolCall,
    ToolFinished,
    ToolResult,
    ToolStarted,
    TurnFinished,
)
from polyant.domain.errors import UnavailableError
from polyant.domain.mcp_servers import McpServer
from polyant.domain.prompts import SectionKey
from polyant.domain.secrets import SecretName
from polyant.domain.toolbox import TurnToolbox
from polyant.domain.tools import ToolContext
from polyant.testing.fakes import FakeChatModel, FakeStep
from polyant.testing.manual_clock import ManualClock
from polyant.testing.supervisor_duties import ANSWER
from polyant.testing.supervisor_events import events_of, text_in
from support.logs import collected
from support.tool_loop import Play, ToolLoop
from support.toolbox_supervisor import ToolboxSupervisor

TOKEN = "token-0123456789"
ASK = FakeStep(tools=("answer",))


@pytest.fixture
async def loop() -> ToolLoop:
    return ToolLoop()


async def requests_of(loop: ToolLoop, play: Play) -> list[ModelRequest]:
    model = loop.model(play)
    await events_of(ToolboxSupervisor(toolbox=loop.toolbox(model)).run(loop.turn))
    return model.requests


def results_in(request: ModelRequest) -> list[ToolResult]:
    return [message for message in request.messages if isinstance(message, ToolResult)]


async def test_model_gets_the_caller_instructions_and_only_the_enabled_tools(loop: ToolLoop) -> None:
    loop.instance = msgspec.structs.replace(loop.instance, tools=("answer",))
    turn = msgspec.structs.replace(loop.turn, caller_instructions=("Speak Latin.",))
    model = loop.model([ANSWER])
    await events_of(ToolboxSupervisor(toolbox=loop.toolbox(model)).run(turn))
    assert model.requests[0].system.endswith("Speak Latin.")
    assert [spec.name for spec in model.requests[0].tools] == ["answer"]


@pytest.mark.parametrize(("own", "given", "sent"), [(0.5, None, 0.5), (0.5, 1.5, 1.5), (None, 1.5, 1.5), (0, None, 0)])
async def test_temperature_of_the_instance_is_the_default(
    loop: ToolLoop, own: float | None, given: float | None, sent: float
) -> None:
    loop.instance = msgspec.structs.replace(loop.instance, temperature=own)
    turn = msgspec.structs.replace(loop.turn, sampling=Sampling(temperature=given, seed=3))
    model = loop.model([ANSWER])
    await events_of(ToolboxSupervisor(toolbox=loop.toolbox(model)).run(turn))
    assert model.requests[0].sampling == Sampling(temperature=sent, seed=3)


async def test_times_of_turn_and_tools_are_measured_from_their_start(loop: ToolLoop) -> None:
    loop.clock = clock = ManualClock()
    clock.advance(60)

    async def slow(_: object, __: ToolContext) -> str:
        clock.advance(1.5)
        return "done"

    loop.add_tool("slow", slow)
    model = loop.model([FakeStep(tools=("slow",)), ANSWER])
    events = await events_of(ToolboxSupervisor(toolbox=loop.toolbox(model)).run(loop.turn))
    (tool,) = [event for event in events if isinstance(event, ToolFinished)]
    assert tool.milliseconds == 1_500
    assert isinstance(events[-1], TurnFinished)
    assert events[-1].milliseconds == 1_500


async def test_disabled_provider_is_named_with_its_fix(loop: ToolLoop) -> None:
    loop.instance = msgspec.structs.replace(loop.instance, provider="gone")
    with pytest.raises(UnavailableError, match="The provider gone is not enabled on this server") as raised:
        await requests_of(loop, [ANSWER])
    assert raised.value.hint == "List it in CHAT_MODELS"


async def test_failure_after_the_servers_are_open_closes_them(loop: ToolLoop) -> None:
    class Broken(SystemDateTimeFormatter):
        def describe(self, moment: datetime) -> str:
            raise LookupError("no such zone")

    loop.date_time_formatter = Broken(timezone="UTC", locale="en-US")
    loop.instance = msgspec.structs.replace(loop.instance, sections={SectionKey.DATETIME: "{{datetime}}"})
    with pytest.raises(LookupError, match="no such zone"):
        async with loop.toolbox(loop.model([ANSWER])).open(loop.turn):
            pytest.fail("the toolbox opened")


async def test_specs_and_prompt_are_available_before_the_first_model_call(loop: ToolLoop) -> None:
    async with loop.toolbox(loop.model([ANSWER])).open(loop.turn) as tools:
        assert [spec.name for spec in tools.specs] == ["answer", "fail", "hang"]
        assert tools.system_prompt == tools.request.system
        assert (tools.budget.steps_left, tools.budget.tool_calls_left) == (15, 50)


async def test_model_sees_the_name_of_a_secret_instead_of_its_value(loop: ToolLoop) -> None:
    async def echo(_: object, context: ToolContext) -> str:
        return f"Authorization: Bearer {context.secrets[SecretName('crm_token')].reveal()}"

    loop.set_secret("crm_token", TOKEN)
    loop.add_tool("crm", echo, secrets=(SecretName("crm_token"),))
    _, request = await requests_of(loop, [FakeStep(tools=("crm",)), ANSWER])
    assert results_in(request)[0].content == "Authorization: Bearer [crm_token]"


async def test_mcp_servers_are_open_during_the_turn_only(loop: ToolLoop) -> None:
    server = McpServer(name="crm", url="https://crm.example", headers={}, tools=("*",))
    loop.instance = msgspec.structs.replace(loop.instance, mcp_servers=(server,))
    open_servers = []

    def play(_: ModelRequest) -> FakeStep:
        open_servers.append(loop.servers.open_now)
        return ANSWER

    await requests_of(loop, play)
    assert (open_servers, loop.servers.open_now) == ([1], 0)


async def test_model_gets_no_tools_in_the_last_step_and_its_calls_are_not_run(loop: ToolLoop) -> None:
    loop.limit(max_steps=3)
    requests = await requests_of(loop, [ASK])
    assert [len(request.tools) for request in requests] == [3, 3, 0]


async def test_call_after_the_last_one_of_the_budget_is_an_error_result(loop: ToolLoop) -> None:
    loop.limit(max_tool_calls=1)
    _, request = await requests_of(loop, [FakeStep(tools=("answer", "answer")), ANSWER])
    assert [result.is_error for result in results_in(request)] == [False, True]
    assert request.tools == ()


async def test_asking_beyond_the_last_step_is_refused(loop: ToolLoop) -> None:
    loop.limit(max_steps=1)
    async with loop.toolbox(loop.model([ASK])).open(loop.turn) as tools:
        assert (await tools.ask(tools.request.messages)).tool_calls == ()
        with pytest.raises(OutOfStepsError):
            await tools.ask(tools.request.messages)


async def test_tool_that_exceeds_its_time_is_an_error_result(loop: ToolLoop) -> None:
    loop.limit(tool_seconds=0.05)
    _, request = await requests_of(loop, [FakeStep(tools=("hang",)), ANSWER])
    assert results_in(request)[0].content == "The tool hang did not finish in 0.05 seconds."
    assert loop.activity.running == 0


async def test_tools_can_pass_tasks_to_sub_agents(loop: ToolLoop) -> None:
    loop.tools["spawn_task"] = SpawnTaskTool()
    loop.instance = msgspec.structs.replace(loop.instance, tools=("spawn_task",))
    task = ToolCall(id="1", name="spawn_task", arguments='{"task":"Sum it up."}')

    def play(request: ModelRequest) -> FakeStep:
        asks = request.tools and not any(isinstance(message, AssistantMessage) for message in request.messages)
        return FakeStep(calls=(task,)) if asks else ANSWER

    *_, request = await requests_of(loop, play)
    assert results_in(request)[0].content == "It is so."


async def test_slow_reader_slows_the_work(loop: ToolLoop) -> None:
    model = loop.model([FakeStep(text=("a", "b", "c"), tools=("answer",)), ANSWER])
    async with aclosing(ToolboxSupervisor(toolbox=loop.toolbox(model)).run(loop.turn)) as events:
        assert await anext(events) == TextDelta("a")
        await asyncio.sleep(0.05)
        assert len(model.requests) == 1
        assert text_in([event async for event in events]) == "bcIt is so."


async def test_error_of_the_work_ends_the_turn(loop: ToolLoop) -> None:
    async def work() -> None:
        raise LookupError("no such node")

    async with loop.toolbox(loop.model([ANSWER])).open(loop.turn) as tools:
        with pytest.raises(LookupError, match="no such node"):
            await events_of(tools.events(work))


async def test_work_that_ignores_cancellation_is_abandoned(loop: ToolLoop) -> None:
    released = asyncio.Event()

    async def stubborn(tools: TurnToolbox) -> None:
        try:
            await tools.call(ToolCall(id="1", name="answer", arguments="{}"))
        finally:
            await released.wait()

    async with loop.toolbox(loop.model([ANSWER])).open(loop.turn) as tools:
        events = tools.events(lambda: stubborn(tools))
        assert isinstance(await anext(events), ToolStarted)
        with collected("polyant.turn") as records:
            await events.aclose()
    released.set()
    assert [record.getMessage() for record in records] == ["supervisor ignores cancellation"]


async def test_error_of_cancelled_work_is_not_reported_by_asyncio(loop: ToolLoop) -> None:
    released = asyncio.Event()

    async def failing(tools: TurnToolbox) -> None:
        try:
            await tools.call(ToolCall(id="1", name="answer", arguments="{}"))
        finally:
            await released.wait()
            raise LookupError("too late")

    async with loop.toolbox(loop.model([ANSWER])).open(loop.turn) as tools:
        events = tools.events(lambda: failing(tools))
        assert isinstance(await anext(events), ToolStarted)
        await events.aclose()
    with collected("asyncio") as records:
        released.set()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        gc.collect()
    assert [record.getMessage() for record in records] == []


async def test_calls_outside_of_events_have_results_but_no_events(loop: ToolLoop) -> None:
    model: FakeChatModel = loop.model([ASK, ANSWER])
    async with loop.toolbox(model).open(loop.turn) as tools:
        reply = await tools.ask(tools.request.messages)
        assert (await tools.call(reply.tool_calls[0])).content == "forty-two"
        finished = tools.finished()
    assert finished.steps == 1


PAUSES = [
    FakeStep(
        text=("Let ",), provider_data=ProviderData(provider="fake", model="model", data=msgspec.Raw(b"1")), paused=True
    ),
    FakeStep(
        text=("me ",), provider_data=ProviderData(provider="fake", model="model", data=msgspec.Raw(b"2")), paused=True
    ),
]


async def test_paused_replies_are_continued_as_one(loop: ToolLoop) -> None:
    model = loop.model([*PAUSES, FakeStep(text=("see.",), tools=("answer",)), ANSWER])
    async with loop.toolbox(model).open(loop.turn) as tools:
        reply = await tools.ask(tools.request.messages)
        assert (reply.content, len(reply.tool_calls)) == ("Let me see.", 1)
        result = await tools.call(reply.tool_calls[0])
        await tools.ask((*tools.request.messages, msgspec.structs.replace(reply), result))
    *_, last = (request.messages for request in model.requests)
    sent = [(message.content, message.provider_data) for message in last if isinstance(message, AssistantMessage)]
    assert sent == [("Let ", PAUSES[0].provider_data), ("me ", PAUSES[1].provider_data), ("see.", None)]
    assert tools.finished().steps == 4


async def test_pause_in_the_last_step_ends_the_reply(loop: ToolLoop) -> None:
    loop.limit(max_steps=2)
    async with loop.toolbox(loop.model(PAUSES)).open(loop.turn) as tools:
        assert (await tools.ask(tools.request.messages)).content == "Let me "
