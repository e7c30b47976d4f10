"""Contract of the port Tool: one part for every tool, one for those that wait for something."""

import asyncio
import math
import re
from collections.abc import Iterator
from typing import Any, Protocol

import msgspec
import pytest

from polyant.domain.instances import Slug
from polyant.domain.ports.tool import Tool
from polyant.domain.secrets import parse_secret_name
from polyant.domain.tools import ToolContext, ToolError, parse_tool_name, tool_spec
from polyant.testing.turns import CONTEXT as TURN_CONTEXT

SEEN_AT_ONCE = 1.0
MAX_DESCRIPTION = 1_024
"""What OpenAI takes as the description of a function, in characters."""
MAX_SCHEMA_BYTES = 16 * 1024

_PROPERTY = re.compile(r"\A[a-zA-Z0-9_.-]{1,64}\Z")


async def no_sub_agent(task: str) -> str:
    """Refuses to delegate."""
    raise ToolError(f"there is nobody to do this: {task}")


CONTEXT = ToolContext(slug=Slug("demo-bot"), turn=TURN_CONTEXT, secrets={}, deadline=math.inf, delegate=no_sub_agent)
"""A context without secrets, sub-agents or a deadline; `msgspec.structs.replace` makes others of it."""


class ToolRun(msgspec.Struct, frozen=True, kw_only=True):
    """One call of a tool: arguments as a model writes them, and what the tool is given besides."""

    arguments: dict[str, Any]
    context: ToolContext = CONTEXT


class WaitingRun(Protocol):
    """A call that waits for something outside which never comes."""

    run: ToolRun

    async def begun(self) -> None:
        """Returns once the tool waits."""

    async def over(self) -> None:
        """Returns once nothing of the call is left at the other end."""


async def result_of(tool: Tool, run: ToolRun) -> str:
    """Returns the tool's result for arguments that went through JSON, as a supervisor calls it."""
    return await tool.run(msgspec.json.decode(msgspec.json.encode(run.arguments), type=tool.arguments), run.context)


class ToolContract:
    """What every Tool does; a subclass gives the tool, a call that succeeds and one that fails."""

    @pytest.fixture
    def tool(self) -> Tool:
        raise NotImplementedError("return the tool under test")

    @pytest.fixture
    def good(self) -> ToolRun:
        raise NotImplementedError("return a call that has a result, with a value for each secret that the tool needs")

    @pytest.fixture
    def bad(self) -> ToolRun:
        raise NotImplementedError("return a call with fitting arguments that fails in a way the model should know of")

    def test_it_has_the_shape_of_the_port(self, tool: Tool) -> None:
        assert isinstance(tool, Tool)

    def test_name_is_one_that_every_vendor_takes(self, tool: Tool) -> None:
        assert parse_tool_name(tool.name) == tool.name

    def test_description_says_something_and_is_not_too_long_for_a_vendor(self, tool: Tool) -> None:
        assert tool.description == tool.description.strip()
        assert 1 <= len(tool.description) <= MAX_DESCRIPTION

    def test_model_sees_the_schema_of_an_object(self, tool: Tool) -> None:
        schema = schema_of(tool)
        assert schema["type"] == "object"
        assert all(_PROPERTY.match(name) for name in schema["properties"])
        assert set(schema.get("required", [])) <= set(schema["properties"])

    def test_schema_is_complete_and_not_too_long_for_a_vendor(self, tool: Tool) -> None:
        schema = schema_of(tool)
        assert {f"#/$defs/{name}" for name in schema.get("$defs", {})} >= set(references_in(schema))
        assert len(msgspec.json.encode(schema)) <= MAX_SCHEMA_BYTES

    def test_arguments_that_succeed_are_those_of_the_schema(self, tool: Tool, good: ToolRun) -> None:
        schema = schema_of(tool)
        assert set(schema.get("required", [])) <= set(good.arguments) <= set(schema["properties"])

    def test_secrets_it_needs_have_the_names_of_secrets(self, tool: Tool) -> None:
        assert [parse_secret_name(name) for name in tool.secrets] == list(dict.fromkeys(tool.secrets))

    def test_each_secret_it_needs_is_given_in_the_test(self, tool: Tool, good: ToolRun) -> None:
        assert set(good.context.secrets) == set(tool.secrets)

    async def test_result_is_text_that_json_can_carry(self, tool: Tool, good: ToolRun) -> None:
        result = await result_of(tool, good)
        assert msgspec.json.decode(msgspec.json.encode(result), type=str) == result

    async def test_failure_that_the_model_should_know_of_says_what_happened(self, tool: Tool, bad: ToolRun) -> None:
        with pytest.raises(ToolError, match=r"\w+ \w+"):
            await result_of(tool, bad)

    async def test_neither_a_result_nor_a_failure_shows_a_secret(
        self, tool: Tool, good: ToolRun, bad: ToolRun, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(0)
        with pytest.raises(ToolError) as caught:
            await result_of(tool, bad)
        shown = f"{await result_of(tool, good)} {caught.value!r} {caplog.text}"
        secrets = [*good.context.secrets.values(), *bad.context.secrets.values()]
        assert [secret for secret in secrets if secret.reveal() in shown] == []

    async def test_runs_may_overlap(self, tool: Tool, good: ToolRun, bad: ToolRun) -> None:
        outcomes = await asyncio.gather(
            *(result_of(tool, run) for run in (good, bad, good, bad, good)), return_exceptions=True
        )
        assert [type(outcome) for outcome in outcomes] == [str, ToolError, str, ToolError, str]

    async def test_run_cancelled_as_it_begins_is_over_at_once_and_leaves_nothing_running(
        self, tool: Tool, good: ToolRun
    ) -> None:
        before = asyncio.all_tasks()
        task = asyncio.create_task(result_of(tool, good))
        await asyncio.sleep(0)
        task.cancel()
        async with asyncio.timeout(SEEN_AT_ONCE):
            await asyncio.wait([task])
            await only_these_left(before)


class WaitingToolContract(ToolContract):
    """What every Tool does that waits for a network, a process or another agent."""

    @pytest.fixture
    def waiting(self) -> WaitingRun:
        raise NotImplementedError("return a call of the tool that waits for ever")

    async def test_run_cancelled_while_it_waits_is_over_at_once_and_leaves_nothing_running(
        self, tool: Tool, waiting: WaitingRun
    ) -> None:
        before = asyncio.all_tasks()
        task = await begun(tool, waiting)
        task.cancel()
        async with asyncio.timeout(SEEN_AT_ONCE):
            await asyncio.wait([task])
            await waiting.over()
            await only_these_left(before)
        assert task.cancelled()

    async def test_run_is_not_held_up_by_one_that_waits(self, tool: Tool, waiting: WaitingRun, good: ToolRun) -> None:
        task = await begun(tool, waiting)
        assert await result_of(tool, good)
        assert not task.done()
        task.cancel()
        await asyncio.wait([task])


async def begun(tool: Tool, waiting: WaitingRun) -> asyncio.Task[str]:
    """Returns the task of a run that waits by now; a run that ends instead fails the test."""
    task = asyncio.create_task(result_of(tool, waiting.run))
    waits = asyncio.create_task(waiting.begun())
    await asyncio.wait({task, waits}, return_when=asyncio.FIRST_COMPLETED)
    waits.cancel()
    assert not task.done(), f"the run ended instead of waiting: {task!r}"
    return task


async def only_these_left(tasks: set[asyncio.Task[Any]]) -> None:
    """Returns once no other tasks are left, also of a server in the test's own event loop, which sees the end later."""
    while not asyncio.all_tasks() <= tasks:  # noqa: ASYNC110 - nothing announces the end of somebody else's task
        await asyncio.sleep(0)


def schema_of(tool: Tool) -> dict[str, Any]:
    """Returns the JSON schema that a model is shown."""
    spec = tool_spec(tool.name, tool.description, tool.arguments)
    return msgspec.json.decode(spec.parameters, type=dict[str, Any])


def references_in(schema: object) -> Iterator[str]:
    """Yields what the schema refers to, at any depth."""
    if isinstance(schema, dict):
        if isinstance(reference := schema.get("$ref"), str):
            yield reference
        for part in schema.values():
            yield from references_in(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from references_in(part)
