"""Sub-agents: their separate conversations and the shared turn budget."""

import asyncio

import msgspec
import pytest

from polyant.adapters.tools.spawn_task_tool import SpawnTaskTool
from polyant.domain.chat import (
    AssistantMessage,
    ModelRequest,
    ProviderFields,
    ToolCall,
    ToolResult,
    TurnFinished,
    Usage,
    UserMessage,
)
from polyant.domain.errors import ProviderFailure, TurnTimeoutError
from polyant.domain.tools import ToolContext
from polyant.testing.fakes import FakeStep
from polyant.testing.supervisor_events import events_of, text_in
from support.patience import seconds
from support.tool_loop import ToolLoop

SUMMARY = FakeStep(text=("In sum.",), usage=Usage(1, 1))


def spawns(*tasks: str) -> FakeStep:
    calls = [ToolCall(id=task, name="spawn_task", arguments=f'{{"task":"{task}"}}') for task in tasks]
    return FakeStep(text=("One moment. ",), calls=tuple(calls), usage=Usage(1, 1))


def is_sub_agent(request: ModelRequest) -> bool:
    return "You work on one task for another assistant" in request.system


def results_in(request: ModelRequest) -> list[str]:
    return [message.content for message in request.messages if isinstance(message, ToolResult)]


@pytest.fixture
def loop(loop: ToolLoop) -> ToolLoop:
    """A tool loop with the tool that spawns sub-agents."""
    loop.tools["spawn_task"] = SpawnTaskTool()
    loop.instance = msgspec.structs.replace(loop.instance, tools=(*loop.instance.tools, "spawn_task"))
    return loop


async def test_sub_agent_gets_only_the_options_of_the_address(loop: ToolLoop) -> None:
    options = {"body": {"reasoning_effort": "high"}, "query": {"api-version": "1"}}
    loop.instance = msgspec.structs.replace(loop.instance, options={"fake": options})
    _, requests = await loop.run(
        lambda request: SUMMARY if is_sub_agent(request) or len(request.messages) > 1 else spawns("a")
    )
    assert [request.options for request in requests] == [options, {"query": {"api-version": "1"}}, options]


async def test_sub_agent_result_is_its_last_text_and_is_not_streamed(loop: ToolLoop) -> None:
    def play(request: ModelRequest) -> FakeStep:
        if is_sub_agent(request):
            asked = any(isinstance(message, AssistantMessage) for message in request.messages)
            return FakeStep(text=("It ", "is 42.")) if asked else FakeStep(text=("Hm. ",), tools=("answer",))
        return SUMMARY if len(request.messages) > 1 else spawns("Compute it.")

    events, requests = await loop.run(play)
    assert results_in(requests[-1]) == ["It is 42."]
    assert text_in(events) == "One moment. In sum."


async def test_sub_agent_has_its_own_context_and_all_tools_but_spawn_task(loop: ToolLoop) -> None:
    def play(request: ModelRequest) -> FakeStep:
        return SUMMARY if is_sub_agent(request) or len(request.messages) > 1 else spawns("Compute it.")

    _, (first, sub, _) = await loop.run(play)
    assert sub.messages == (UserMessage.of("Compute it."),)
    assert [spec.name for spec in sub.tools] == ["answer", "fail", "hang"]
    assert [spec.name for spec in first.tools] == ["answer", "fail", "hang", "spawn_task"]
    assert "- spawn_task" not in sub.system
    assert (sub.api_key, sub.model, sub.stream) == (first.api_key, first.model, False)


async def test_only_the_turns_own_requests_have_the_callers_response_format(loop: ToolLoop) -> None:
    def play(request: ModelRequest) -> FakeStep:
        return SUMMARY if is_sub_agent(request) or len(request.messages) > 1 else spawns("Compute it.")

    fields = ProviderFields(response_format=msgspec.Raw(b'{"type":"json_object"}'), reasoning_effort="low")
    turn = msgspec.structs.replace(loop.turn, provider_fields=fields)
    model = loop.model(play)
    await events_of(loop.supervisor(model).run(turn))
    first, sub, last = model.requests
    assert (first.provider_fields, last.provider_fields) == (fields, fields)
    assert sub.provider_fields == ProviderFields(reasoning_effort="low")


async def test_sub_agents_run_concurrently(loop: ToolLoop) -> None:
    barrier = asyncio.Barrier(3)

    async def meet(_: object, __: ToolContext) -> str:
        await barrier.wait()
        return "met"

    def play(request: ModelRequest) -> FakeStep:
        if is_sub_agent(request):
            return FakeStep(text=("We met.",)) if len(request.messages) > 1 else FakeStep(tools=("meet",))
        return SUMMARY if len(request.messages) > 1 else spawns("a", "b", "c")

    loop.add_tool("meet", meet)
    _, requests = await loop.run(play)
    assert results_in(requests[-1]) == ["We met."] * 3


async def test_usage_steps_and_tool_calls_of_sub_agents_count_for_the_turn(loop: ToolLoop) -> None:
    def play(request: ModelRequest) -> FakeStep:
        if is_sub_agent(request):
            if len(request.messages) > 1:
                return FakeStep(text=("Done.",), usage=Usage(10, 10))
            return FakeStep(tools=("answer",), usage=Usage(100, 100))
        return SUMMARY if len(request.messages) > 1 else spawns("a", "b")

    events, _ = await loop.run(play)
    finished = events[-1]
    assert isinstance(finished, TurnFinished)
    assert (finished.usage, finished.steps) == (Usage(222, 222), 6)


async def test_sub_agent_takes_at_most_ten_steps_and_the_last_has_no_tools(loop: ToolLoop) -> None:
    loop.limit(max_steps=50)

    def play(request: ModelRequest) -> FakeStep:
        if is_sub_agent(request):
            return FakeStep(tools=("answer",)) if request.tools else FakeStep(text=("Enough.",))
        return SUMMARY if len(request.messages) > 1 else spawns("a")

    _, requests = await loop.run(play)
    subs = [request for request in requests if is_sub_agent(request)]
    assert [bool(request.tools) for request in subs] == [True] * 9 + [False]
    assert results_in(requests[-1]) == ["Enough."]


async def test_sub_agents_leave_the_turn_a_step_for_its_answer(loop: ToolLoop) -> None:
    loop.limit(max_steps=6)

    def play(request: ModelRequest) -> FakeStep:
        if is_sub_agent(request):
            return FakeStep(tools=("answer",)) if request.tools else FakeStep(text=("Enough.",))
        return SUMMARY if len(request.messages) > 1 else spawns("a", "b", "c")

    events, requests = await loop.run(play)
    assert len(requests) == 6
    assert text_in(events).endswith("In sum.")
    assert requests[-1].tools == ()
    results = results_in(requests[-1])
    assert results.count("Enough.") == 1
    assert sum("steps are used up" in result for result in results) == 2


async def test_sub_agents_share_the_turn_s_tool_call_budget(loop: ToolLoop) -> None:
    loop.limit(max_tool_calls=3)

    def play(request: ModelRequest) -> FakeStep:
        if is_sub_agent(request):
            return FakeStep(tools=("answer", "answer")) if request.tools else FakeStep(text=("Enough.",))
        return SUMMARY if len(request.messages) > 1 else spawns("a")

    _, requests = await loop.run(play)
    last_of_sub = [request for request in requests if is_sub_agent(request)][-1]
    assert results_in(last_of_sub) == ["forty-two", "forty-two"]
    assert requests[-1].tools == ()


async def test_sub_agent_may_take_longer_than_a_tool(loop: ToolLoop) -> None:
    loop.limit(tool_seconds=0.05)

    def play(request: ModelRequest) -> FakeStep:
        if is_sub_agent(request):
            return FakeStep(text=("It hung.",)) if len(request.messages) > 1 else FakeStep(tools=("hang",))
        return SUMMARY if len(request.messages) > 1 else spawns("a")

    _, requests = await loop.run(play)
    assert results_in([request for request in requests if is_sub_agent(request)][-1]) == [
        "The tool hang did not finish in 0.05 seconds."
    ]
    assert results_in(requests[-1]) == ["It hung."]


async def test_sub_agent_ends_at_the_turn_s_deadline(loop: ToolLoop) -> None:
    loop.limit(turn_seconds=0.05)

    def play(request: ModelRequest) -> FakeStep:
        return FakeStep(hangs=True) if is_sub_agent(request) else spawns("a")

    with pytest.raises(TurnTimeoutError):
        await loop.run(play)
    assert loop.activity.running == 0


async def test_model_failure_in_a_sub_agent_is_reported_in_its_result(loop: ToolLoop) -> None:
    def play(request: ModelRequest) -> FakeStep:
        if is_sub_agent(request):
            return FakeStep(fails=ProviderFailure.OVERLOADED)
        return SUMMARY if len(request.messages) > 1 else spawns("a")

    events, requests = await loop.run(play)
    assert results_in(requests[-1]) == ["The sub-agent failed: The model provider failed to answer (fake: overloaded)"]
    assert text_in(events).endswith("In sum.")


async def test_sub_agent_cannot_spawn_sub_agents(loop: ToolLoop) -> None:
    """This holds for other tools that delegate, too."""

    async def pass_on(_: object, context: ToolContext) -> str:
        return await context.delegate("Do it for me.")

    def play(request: ModelRequest) -> FakeStep:
        if is_sub_agent(request):
            return FakeStep(text=("I had to.",)) if len(request.messages) > 1 else FakeStep(tools=("pass_on",))
        return SUMMARY if len(request.messages) > 1 else spawns("a")

    loop.add_tool("pass_on", pass_on)
    _, requests = await loop.run(play)
    sub = [request for request in requests if is_sub_agent(request)][-1]
    assert results_in(sub) == ["A sub-agent has no sub-agents of its own."]


async def test_sub_agents_end_with_an_abandoned_turn(loop: ToolLoop) -> None:
    def play(request: ModelRequest) -> FakeStep:
        return FakeStep(tools=("hang", "hang")) if is_sub_agent(request) else spawns("a", "b")

    task = asyncio.create_task(events_of(loop.supervisor(loop.model(play)).run(loop.turn)))
    await loop.activity.hanging(4)
    task.cancel()
    async with asyncio.timeout(seconds(1)):
        await asyncio.wait([task])
    assert loop.activity.running == 0
