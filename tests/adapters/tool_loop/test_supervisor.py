"""The tool loop: its steps, the tools offered and the messages to the model."""

import asyncio
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyant.domain.agent_loop.reply import Reply
from polyant.domain.chat import (
    AssistantMessage,
    ModelRequest,
    Sampling,
    StepFinished,
    ToolCall,
    ToolFinished,
    ToolResult,
    ToolStarted,
    TurnFinished,
    Usage,
    UserMessage,
)
from polyant.domain.errors import ProviderError, ProviderFailure
from polyant.domain.limits import TurnBudget
from polyant.domain.mcp_servers import McpServer
from polyant.domain.prompts import SectionKey
from polyant.domain.secrets import SecretName
from polyant.domain.tools import MAX_RESULT_BYTES, OfferedTool, ToolContext, tool_spec
from polyant.testing.fakes import FakeStep, NoArguments
from polyant.testing.supervisor_duties import ANSWER
from polyant.testing.supervisor_events import events_of, text_in
from support.logs import collected, fields_of
from support.tool_loop import KEY, ToolLoop, answer

ASK = FakeStep(tools=("answer",))


def results_in(request: ModelRequest) -> list[ToolResult]:
    return [message for message in request.messages if isinstance(message, ToolResult)]


def calls_in(request: ModelRequest) -> list[ToolCall]:
    said = (message for message in request.messages if isinstance(message, AssistantMessage))
    return [call for message in said for call in message.tool_calls]


# Model requests


async def test_first_request_has_the_conversation_the_tools_and_the_key(loop: ToolLoop) -> None:
    _, (request,) = await loop.run([ANSWER])
    assert request.messages == (UserMessage.of("Is it so?"),)
    assert [spec.name for spec in request.tools] == ["answer", "fail", "hang"]
    assert request.api_key is not None
    assert request.api_key.reveal() == KEY


async def test_omitted_tools_are_logged(loop: ToolLoop) -> None:
    server = McpServer(name="crm", url="https://crm.example", headers={"X-Key": SecretName("crm_token")}, tools=("*",))
    loop.instance = msgspec.structs.replace(loop.instance, mcp_servers=(server,))
    for number in range(130):
        loop.add_tool(f"own_{number}", answer)
    with collected("polyant.turn") as records:
        _, (request,) = await loop.run([ANSWER])
    slug = loop.instance.slug
    assert len(request.tools) == 128
    assert [record.getMessage() for record in records] == ["MCP server not used", "too many tools"]
    refused, counted = map(fields_of, records)
    assert (refused["slug"], refused["server"]) == (slug, "crm")
    assert "The secret crm_token" in str(refused["why"])
    assert counted == {"slug": slug, "tools": 133, "offered": 128}


async def test_mcp_tool_is_called_like_any_other(loop: ToolLoop) -> None:
    async def call(arguments: str, _: ToolContext) -> str:
        return f"theirs {arguments}"

    server = McpServer(name="files", url="http://localhost:8100/mcp", tools=("read",))
    loop.instance = msgspec.structs.replace(loop.instance, mcp_servers=(server,))
    loop.servers.tools = [OfferedTool(spec=tool_spec("files__read", "Reads.", NoArguments), call=call)]
    _, (_, request) = await loop.run([FakeStep(tools=("files__read",)), ANSWER])
    assert [result.content for result in results_in(request)] == ["theirs "]
    assert loop.servers.open_now == 0


async def test_addresses_that_nobody_approved_are_restricted_to_the_public_internet(loop: ToolLoop) -> None:
    server = McpServer(name="files", url="http://localhost:8100/mcp", tools=("read",))
    address = "http://localhost:8000/v1"
    free = msgspec.structs.replace(loop.instance, base_url=f"{address}/", mcp_servers=(server,), secrets={})
    for approved, expected in ((frozenset[str](), True), (frozenset({address, server.url}), False)):
        loop.instance = msgspec.structs.replace(free, approved_addresses=approved)
        _, (request,) = await loop.run([ANSWER])
        (_, (access,)) = loop.servers.asked.pop()
        assert (request.public_only, access.public_only) == (expected, expected)


async def test_requests_have_the_instance_options_for_the_provider(loop: ToolLoop) -> None:
    loop.instance = msgspec.structs.replace(loop.instance, options={"fake": {"level": 1}, "answer": {"level": 2}})
    _, requests = await loop.run([ASK, ANSWER])
    assert [request.options for request in requests] == [{"level": 1}] * 2


async def test_next_request_has_the_text_and_the_results_in_call_order(loop: ToolLoop) -> None:
    step = FakeStep(text=("Wait", "."), tools=("fail", "answer"))
    _, (_, request) = await loop.run([step, ANSWER])
    _, said, failed, answered = request.messages
    assert isinstance(said, AssistantMessage)
    assert (said.content, [call.name for call in said.tool_calls]) == ("Wait.", ["fail", "answer"])
    assert isinstance(failed, ToolResult)
    assert isinstance(answered, ToolResult)
    assert [failed.call_id, answered.call_id] == [call.id for call in said.tool_calls]
    assert (failed.is_error, answered.is_error, answered.content) == (True, False, "forty-two")


async def test_temperature_of_the_caller_overrides_that_of_the_instance(loop: ToolLoop) -> None:
    loop.instance = msgspec.structs.replace(loop.instance, temperature=0.3)
    _, (request,) = await loop.run([ANSWER])
    assert request.sampling.temperature == 0.3
    model = loop.model([ANSWER])
    turn = msgspec.structs.replace(loop.turn, sampling=Sampling(temperature=0.0, seed=7))
    await events_of(loop.supervisor(model).run(turn))
    assert model.requests[0].sampling == Sampling(temperature=0.0, seed=7)


async def test_system_prompt_lists_the_tools_and_ends_with_the_callers_instructions(loop: ToolLoop) -> None:
    loop.instance = msgspec.structs.replace(
        loop.instance, sections={SectionKey.TOOLING: "Tools:\n{{toolCatalog}}", SectionKey.SKILLS: "{{skillsList}}"}
    )
    model = loop.model([ANSWER])
    turn = msgspec.structs.replace(loop.turn, caller_instructions=("Rhyme.",))
    await events_of(loop.supervisor(model).run(turn))
    system = model.requests[0].system
    assert "Tools:\n- answer: Does answer.\n- fail: Does fail.\n- hang: Does hang.\n" in system
    assert "(none)" in system
    assert system.endswith("Rhyme.")


async def test_instance_without_tools_offers_no_tools(loop: ToolLoop) -> None:
    loop.instance = msgspec.structs.replace(loop.instance, tools=())
    _, (request,) = await loop.run([ANSWER])
    assert request.tools == ()


# Step limits


async def test_last_step_has_no_tools_so_that_the_turn_ends_in_an_answer(loop: ToolLoop) -> None:
    events, requests = await loop.run(lambda request: ASK if request.tools else ANSWER)
    assert len(requests) == TurnBudget().max_steps == 15
    assert [bool(request.tools) for request in requests] == [True] * 14 + [False]
    assert events[-1] == TurnFinished(usage=Usage(20, 2), steps=15, milliseconds=events[-1].milliseconds)  # type: ignore[union-attr]
    assert text_in(events) == "It is so."


@pytest.mark.parametrize(("maximum", "offers"), [(1, [False]), (2, [True, False]), (20, [True] * 19 + [False])])
async def test_instance_sets_its_step_limit(loop: ToolLoop, maximum: int, offers: list[bool]) -> None:
    loop.limit(max_steps=maximum)
    _, requests = await loop.run(lambda request: ASK if request.tools else ANSWER)
    assert [bool(request.tools) for request in requests] == offers


async def test_tools_called_in_the_last_step_are_not_run(loop: ToolLoop) -> None:
    loop.limit(max_steps=2)
    events, requests = await loop.run([ASK, FakeStep(text=("So be it.",), tools=("answer",))])
    assert len(requests) == 2
    assert sum(isinstance(event, ToolStarted) for event in events) == 1
    assert text_in(events) == "So be it."


async def test_call_without_tools_gets_an_error_result(loop: ToolLoop) -> None:
    loop.instance = msgspec.structs.replace(loop.instance, tools=())
    events, (_, request) = await loop.run([ASK, ANSWER])
    assert [result.content for result in results_in(request)] == ["There is no tool 'answer'. There are: none."]
    assert text_in(events) == "It is so."


async def test_calls_beyond_the_limit_are_refused_and_the_model_must_answer(loop: ToolLoop) -> None:
    loop.limit(max_tool_calls=3)
    step = FakeStep(tools=("answer", "answer"))
    events, requests = await loop.run(lambda request: step if request.tools else ANSWER)
    assert [bool(request.tools) for request in requests] == [True, True, False]
    assert [result.is_error for result in results_in(requests[-1])] == [False, False, False, True]
    assert "used up" in results_in(requests[-1])[-1].content
    assert sorted(event.ok for event in events if isinstance(event, ToolFinished)) == [False, True, True, True]
    assert text_in(events) == "It is so."


async def test_fifty_tool_calls_are_allowed_by_default(loop: ToolLoop) -> None:
    step = FakeStep(tools=("answer",) * 60)
    _, requests = await loop.run([step, ANSWER])
    assert sum(not result.is_error for result in results_in(requests[-1])) == TurnBudget().max_tool_calls == 50


async def test_tool_limit_of_zero_offers_no_tools(loop: ToolLoop) -> None:
    loop.limit(max_tool_calls=0)
    _, (request,) = await loop.run([ANSWER])
    assert request.tools == ()


# Concurrency


async def test_tools_of_one_step_run_concurrently(loop: ToolLoop) -> None:
    meeting = Meeting(5)
    loop.add_tool("meet", meeting)
    events, _ = await loop.run([FakeStep(tools=("meet",) * 5), ANSWER])
    assert [event.ok for event in events if isinstance(event, ToolFinished)] == [True] * 5
    assert loop.activity.max_running == 5


async def test_hanging_tool_times_out_and_the_others_return_results(loop: ToolLoop) -> None:
    loop.limit(tool_seconds=0.05)
    events, (_, request) = await loop.run([FakeStep(tools=("hang", "answer", "fail")), ANSWER])
    hung, answered, failed = results_in(request)
    assert hung.content == "The tool hang did not finish in 0.05 seconds."
    assert (hung.is_error, answered.content, failed.is_error) == (True, "forty-two", True)
    assert text_in(events) == "It is so."
    assert loop.activity.running == 0


# Ids and names


@given(
    st.lists(st.lists(st.sampled_from(["", "call_1", "call_2", "x"]), min_size=1, max_size=4), min_size=1, max_size=4)
)
def test_calls_of_a_conversation_have_distinct_ids(steps: list[list[str]]) -> None:
    messages: tuple[Any, ...] = ()
    for ids in steps:
        reply = Reply()
        for call_id in ids:
            reply.add(ToolCall(id=call_id, name="answer", arguments=""))
        calls = reply.tool_calls(messages)
        assert len(calls) == len(ids)
        messages = (*messages, reply.message(calls))
    taken = [call.id for message in messages for call in message.tool_calls]
    assert all(taken)
    assert len(set(taken)) == len(taken)


def test_at_most_128_calls_of_a_reply_are_taken() -> None:
    reply = Reply()
    for number in range(1_000):
        reply.add(ToolCall(id=f"id_{number}", name="answer", arguments=""))
    assert [call.id for call in reply.tool_calls(())] == [f"id_{number}" for number in range(128)]


async def test_missing_and_repeated_ids_are_replaced_in_events_calls_and_results(loop: ToolLoop) -> None:
    calls = tuple(ToolCall(id=call_id, name="answer", arguments="{}") for call_id in ("", "same", "same"))
    events, (_, request) = await loop.run([FakeStep(calls=calls), ANSWER])
    ids = [call.id for call in calls_in(request)]
    assert len({*ids}) == 3
    assert [result.call_id for result in results_in(request)] == ids
    assert {event.call_id for event in events if isinstance(event, ToolStarted | ToolFinished)} == {*ids}


@pytest.mark.parametrize(
    ("name", "shown"), [("functions.answer", "functions_answer"), ("", "unnamed"), ("é" * 99, "_" * 64)]
)
async def test_name_that_providers_reject_is_replaced(loop: ToolLoop, name: str, shown: str) -> None:
    step = FakeStep(calls=(ToolCall(id="1", name=name, arguments="{}"),))
    _, (_, request) = await loop.run([step, ANSWER])
    assert [call.name for call in calls_in(request)] == [shown]
    assert results_in(request)[0].is_error


# Usage


async def test_model_calls_and_the_turn_report_cumulative_usage(loop: ToolLoop) -> None:
    steps = [FakeStep(tools=("answer",), usage=Usage(3, 1)), ANSWER]
    events, _ = await loop.run(steps)
    told = [event for event in events if isinstance(event, StepFinished | TurnFinished)]
    assert [(event.usage, event.steps) for event in told] == [(Usage(3, 1), 1), (Usage(23, 3), 2), (Usage(23, 3), 2)]


# Long results and model failures


async def test_long_result_is_truncated_with_a_note(loop: ToolLoop) -> None:
    async def babble(_: object, __: ToolContext) -> str:
        return "é" * MAX_RESULT_BYTES

    loop.add_tool("babble", babble)
    _, (_, request) = await loop.run([FakeStep(tools=("babble",)), ANSWER])
    (result,) = results_in(request)
    assert not result.is_error
    assert f"only its first {MAX_RESULT_BYTES} of {2 * MAX_RESULT_BYTES} bytes" in result.content
    assert len(result.content.encode()) < MAX_RESULT_BYTES + 200


async def test_model_that_fails_after_tools_fails_the_turn(loop: ToolLoop) -> None:
    with pytest.raises(ProviderError):
        await loop.run([ASK, FakeStep(fails=ProviderFailure.RATE_LIMIT)])


class Meeting:
    """A tool that returns once `size` calls of it are running."""

    def __init__(self, size: int) -> None:
        self._barrier = asyncio.Barrier(size)

    async def __call__(self, _: object, __: ToolContext) -> str:
        await self._barrier.wait()
        return "met"
