"""The contract of the port Tool: tests for every tool, and for tools that wait for something."""

import asyncio
import contextlib
import copy
import math
import re
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import msgspec
import pytest

from polyant.domain.instances import Slug
from polyant.domain.ports.tool import Tool
from polyant.domain.secrets import parse_secret_name
from polyant.domain.tools import ToolContext, ToolError, parse_tool_name, tool_spec
from polyant.testing.blocking_calls import blocking_calls
from polyant.testing.contract import Contract, proves
from polyant.testing.turns import CONTEXT as TURN_CONTEXT

SEEN_AT_ONCE = 1.0
PATIENCE_SECONDS = 10.0
"""The time for runs that nothing delays."""
MAX_DESCRIPTION = 1_024
"""OpenAI's limit for the description of a function, in characters."""
MAX_SCHEMA_BYTES = 16 * 1024

_PROPERTY = re.compile(r"\A[a-zA-Z0-9_.-]{1,64}\Z")
_MANY_RUNS = 20


async def no_sub_agent(task: str) -> str:
    """Refuses to delegate."""
    raise ToolError(f"there is no sub-agent for this task: {task}")


CONTEXT = ToolContext(slug=Slug("demo-bot"), turn=TURN_CONTEXT, secrets={}, deadline=math.inf, delegate=no_sub_agent)
"""A context without secrets, sub-agents or a deadline; derive others with `msgspec.structs.replace`."""


class ToolRun(msgspec.Struct, frozen=True, kw_only=True):
    """One call of a tool: the arguments from the model, and the context."""

    arguments: dict[str, Any]
    context: ToolContext = CONTEXT


class WaitingRun(Protocol):
    """A call that waits forever for an external event."""

    run: ToolRun

    async def begun(self) -> None:
        """Returns once the tool is waiting."""

    async def over(self) -> None:
        """Returns once the other end has no trace of the call left."""


async def result_of(tool: Tool, run: ToolRun) -> str:
    """Returns the tool's result for arguments decoded from JSON, as from a supervisor."""
    return await tool.run(msgspec.json.decode(msgspec.json.encode(run.arguments), type=tool.arguments), run.context)


class ToolContract(Contract):
    """The tests that every Tool must pass; subclasses provide the tool, a call that succeeds and one that fails."""

    @pytest.fixture
    def tool(self) -> Tool:
        raise NotImplementedError("return the tool under test")

    @pytest.fixture
    def good(self) -> ToolRun:
        raise NotImplementedError("return a call that succeeds, with a value for each secret that the tool needs")

    @pytest.fixture
    def bad(self) -> ToolRun:
        raise NotImplementedError("return a call with valid arguments that raises ToolError")

    def test_implements_the_port(self, tool: Tool) -> None:
        assert isinstance(tool, Tool)

    def test_name_is_accepted_by_every_provider(self, tool: Tool) -> None:
        assert parse_tool_name(tool.name) == tool.name

    @proves("A function with a description from which the model learns when and how to call it.")
    def test_description_is_not_empty_and_within_provider_limit(self, tool: Tool) -> None:
        assert tool.description == tool.description.strip()
        assert 1 <= len(tool.description) <= MAX_DESCRIPTION

    def test_schema_is_of_an_object(self, tool: Tool) -> None:
        schema = schema_of(tool)
        assert schema["type"] == "object"
        assert all(_PROPERTY.match(name) for name in schema["properties"])
        assert set(schema.get("required", [])) <= set(schema["properties"])

    def test_schema_is_complete_and_within_provider_limit(self, tool: Tool) -> None:
        schema = schema_of(tool)
        assert {f"#/$defs/{name}" for name in schema.get("$defs", {})} >= set(references_in(schema))
        assert len(msgspec.json.encode(schema)) <= MAX_SCHEMA_BYTES

    def test_good_arguments_match_schema(self, tool: Tool, good: ToolRun) -> None:
        schema = schema_of(tool)
        assert set(schema.get("required", [])) <= set(good.arguments) <= set(schema["properties"])

    def test_secrets_have_valid_unique_names(self, tool: Tool) -> None:
        assert [parse_secret_name(name) for name in tool.secrets] == list(dict.fromkeys(tool.secrets))

    def test_good_run_has_every_needed_secret(self, tool: Tool, good: ToolRun) -> None:
        assert set(good.context.secrets) == set(tool.secrets)

    @proves("Returns the result as text for the model.")
    async def test_result_is_text_that_json_can_encode(self, tool: Tool, good: ToolRun) -> None:
        result = await result_of(tool, good)
        assert msgspec.json.decode(msgspec.json.encode(result), type=str) == result

    @proves("ToolError: The run failed, and the model gets the message.")
    async def test_failure_has_descriptive_message(self, tool: Tool, bad: ToolRun) -> None:
        with pytest.raises(ToolError, match=r"\w+ \w+"):
            await result_of(tool, bad)

    @pytest.fixture
    def written(self, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Callable[[], str]:
        """Returns what was logged and printed since the last call."""
        caplog.set_level(0)
        return lambda: " ".join([caplog.text, *capfd.readouterr()])

    async def test_each_run_has_its_own_result(self, tool: Tool, good: ToolRun, bad: ToolRun) -> None:
        await result_of(tool, good)
        with pytest.raises(ToolError):
            await result_of(tool, bad)

    @proves("The result, the message of an error and the log contain no secret.")
    async def test_result_failure_and_log_contain_no_secret(
        self, tool: Tool, good: ToolRun, bad: ToolRun, written: Callable[[], str]
    ) -> None:
        with pytest.raises(ToolError) as caught:
            await result_of(tool, bad)
        shown = f"{await result_of(tool, good)} {caught.value!r} {written()}"
        secrets = [*good.context.secrets.values(), *bad.context.secrets.values()]
        assert [secret for secret in secrets if secret.reveal() in shown] == []

    @proves("Runs of the same tool may overlap.")
    async def test_runs_can_overlap(self, tool: Tool, good: ToolRun, bad: ToolRun) -> None:
        outcomes = await asyncio.gather(
            *(result_of(tool, run) for run in (good, bad, good, bad, good)), return_exceptions=True
        )
        assert [type(outcome) for outcome in outcomes] == [str, ToolError, str, ToolError, str]

    @proves("A run that fails or is cancelled doesn't affect later ones.")
    async def test_failed_and_cancelled_runs_leave_room_for_others(
        self, tool: Tool, good: ToolRun, bad: ToolRun
    ) -> None:
        """A tool that limits its runs has to give the places of failed and cancelled ones back."""
        cancelled = [asyncio.create_task(result_of(tool, good)) for _ in range(_MANY_RUNS)]
        await asyncio.sleep(0)
        for task in cancelled:
            task.cancel()
        async with asyncio.timeout(PATIENCE_SECONDS):
            await asyncio.wait(cancelled)
            for _ in range(_MANY_RUNS):
                with pytest.raises(ToolError):
                    await result_of(tool, bad)
            assert [type(await result_of(tool, good)) for _ in range(2)] == [str, str]

    @proves("No run blocks the event loop.")
    async def test_runs_do_not_block_the_event_loop(self, tool: Tool, good: ToolRun, bad: ToolRun) -> None:
        """Call blocking libraries in a thread."""
        with blocking_calls() as calls:
            for run in (good, bad):
                with contextlib.suppress(ToolError):
                    await result_of(tool, run)
        assert calls == []

    async def test_run_changes_no_options(self, tool: Tool, good: ToolRun) -> None:
        """They belong to the instance, and so to all of its turns."""
        before = copy.deepcopy(good.context.options)
        await result_of(tool, good)
        assert good.context.options == before

    @proves(
        "The run is cancelled at the context's deadline and when the turn is abandoned; it must leave "
        "nothing running then.",
    )
    async def test_run_cancelled_at_start_ends_immediately_and_leaves_nothing_running(
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
    """The additional tests for a Tool that waits for a network, a process or another agent."""

    @pytest.fixture
    def waiting(self) -> WaitingRun:
        raise NotImplementedError("return a call of the tool that waits forever")

    @proves(
        "The run is cancelled at the context's deadline and when the turn is abandoned; it must leave "
        "nothing running then.",
    )
    async def test_run_cancelled_while_waiting_ends_immediately_and_leaves_nothing_running(
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

    @proves("Runs of the same tool may overlap.")
    async def test_waiting_run_does_not_block_other_runs(self, tool: Tool, waiting: WaitingRun, good: ToolRun) -> None:
        task = await begun(tool, waiting)
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert isinstance(await result_of(tool, good), str)
        assert not task.done()
        task.cancel()
        await asyncio.wait([task])


async def begun(tool: Tool, waiting: WaitingRun) -> asyncio.Task[str]:
    """Returns the task of a run once it is waiting, and asserts that it hasn't ended."""
    task = asyncio.create_task(result_of(tool, waiting.run))
    waits = asyncio.create_task(waiting.begun())
    await asyncio.wait({task, waits}, return_when=asyncio.FIRST_COMPLETED)
    waits.cancel()
    assert not task.done(), f"the run ended instead of waiting: {task!r}"
    return task


async def only_these_left(tasks: set[asyncio.Task[Any]]) -> None:
    """Returns once no other tasks are left, including those of a server in the test's own event loop."""
    while not asyncio.all_tasks() <= tasks:  # noqa: ASYNC110 - nothing signals the end of another component's task
        await asyncio.sleep(0)


def schema_of(tool: Tool) -> dict[str, Any]:
    """Returns the JSON schema that the model sees."""
    spec = tool_spec(tool.name, tool.description, tool.arguments)
    return msgspec.json.decode(spec.parameters, type=dict[str, Any])


def references_in(schema: object) -> Iterator[str]:
    """Yields the references in the schema, at any depth."""
    if isinstance(schema, dict):
        if isinstance(reference := schema.get("$ref"), str):
            yield reference
        for part in schema.values():
            yield from references_in(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from references_in(part)
