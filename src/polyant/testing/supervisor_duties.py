"""The part of the Supervisor contract about the model's prompt, tools and limits, and about secrets."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from typing import Any, Protocol

import msgspec
import pytest

from polyant.domain.chat import (
    AssistantMessage,
    ModelRequest,
    ProviderFields,
    Sampling,
    SupervisorEvent,
    ToolFinished,
    ToolResult,
    Turn,
    TurnFinished,
    Usage,
    UserMessage,
)
from polyant.domain.ports.supervisor import Supervisor
from polyant.domain.prompts import SectionKey
from polyant.domain.secrets import SecretName, SecretText
from polyant.domain.system_prompt import caller_section
from polyant.testing.contract import Contract, proves
from polyant.testing.fakes import FakeStep
from polyant.testing.supervisor_events import events_of

TOOL_SECRET = "tk-0123456789abcdef"  # noqa: S105 - no real secret
SERVER_RESULT = "the text of the file"

PATIENCE_SECONDS = 30.0
"""How long a test waits for a turn that should end soon."""

ANSWER = FakeStep(text=("It is ", "so."), usage=Usage(20, 2))
_OFFERED = {"answer", "fail", "hang", "reveal", "reveal_in_error", "files__read"}


class ToolRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run of a tool."""

    name: str
    secrets: Mapping[SecretName, SecretText]
    """The secrets that it received."""


class EquippedSupervisor(Protocol):
    """A supervisor whose instance has secrets, tools and an MCP server."""

    @property
    def turn(self) -> Turn:
        """A runnable turn of an instance with two sections, options, and the tools of `playing`."""

    @property
    def requests(self) -> Sequence[ModelRequest]:
        """The requests that the model has received."""

    @property
    def runs(self) -> Sequence[ToolRun]:
        """The runs of installed tools so far."""

    @property
    def open_servers(self) -> int:
        """The number of connections to MCP servers."""

    def playing(self, *steps: FakeStep) -> Supervisor:
        """Returns the supervisor; its model performs one step per call, and repeats the last one.

        Enabled tools: `answer` returns a result, `fail` raises an exception, and `hang` never ends. `reveal` returns a
        result with its secret, `TOOL_SECRET`, and `reveal_in_error` raises a ToolError with it. `unready` needs a
        secret that is missing. `forbidden` is installed, but not enabled. `files__read`, of an MCP server, returns
        `SERVER_RESULT`.
        """


class SupervisorDutiesContract(Contract):
    """The tests of a Supervisor's duties; subclasses provide the supervisor under test."""

    @pytest.fixture
    def supervised(self) -> EquippedSupervisor:
        raise NotImplementedError("return the supervisor under test")

    # the model's request

    @proves(
        "The model gets the instance's system prompt, which ends with the caller's instructions, the "
        "turn's messages and parameters, and the instance's options.",
    )
    async def test_system_prompt_has_sections_in_order(self, supervised: EquippedSupervisor) -> None:
        (request,) = await self.requests_of(supervised, ANSWER)
        sections = supervised.turn.instance.sections
        texts = [sections[key] for key in SectionKey if key in sections]
        places = [request.system.find(text) for text in texts]
        assert len(texts) > 1
        assert places == sorted(places)
        assert places[0] == 0

    @proves(
        "The model gets the instance's system prompt, which ends with the caller's instructions, the "
        "turn's messages and parameters, and the instance's options.",
    )
    async def test_system_prompt_ends_with_instructions_of_the_caller(self, supervised: EquippedSupervisor) -> None:
        instructions = ("Call me Zoë.", "Rhyme.")
        (request,) = await self.requests_of(supervised, ANSWER, caller_instructions=instructions)
        assert request.caller_section == caller_section(instructions)
        assert request.system.endswith(request.caller_section)

    @proves(
        "The model gets the instance's system prompt, which ends with the caller's instructions, the "
        "turn's messages and parameters, and the instance's options.",
    )
    async def test_request_is_that_of_the_turn_and_its_instance(self, supervised: EquippedSupervisor) -> None:
        messages = (UserMessage.of("Hello!"), AssistantMessage("Hi."), UserMessage.of("Is it so?"))
        sampling = Sampling(temperature=0.25, max_tokens=9)
        fields = ProviderFields(user="zoe")
        (request,) = await self.requests_of(
            supervised, ANSWER, messages=messages, sampling=sampling, provider_fields=fields, stream=True
        )
        instance = supervised.turn.instance
        assert (request.messages, request.sampling, request.provider_fields) == (messages, sampling, fields)
        assert (request.stream, request.model) == (True, instance.model)
        assert request.options == instance.options[instance.provider]
        assert request.api_key is not None

    # tools

    @proves(
        "The model is offered the instance's enabled and ready tools and those of its MCP servers, and no others.",
    )
    async def test_only_enabled_and_ready_tools_are_offered(self, supervised: EquippedSupervisor) -> None:
        (request,) = await self.requests_of(supervised, ANSWER)
        assert {tool.name for tool in request.tools} == _OFFERED

    @proves(
        "The model is offered the instance's enabled and ready tools and those of its MCP servers, and no others.",
    )
    @pytest.mark.parametrize("name", ["forbidden", "unready", "unknown"])
    async def test_tool_that_is_not_offered_is_not_run(self, supervised: EquippedSupervisor, name: str) -> None:
        _, request = await self.requests_of(supervised, FakeStep(tools=(name,)), ANSWER)
        assert supervised.runs == []
        assert [result.is_error for result in results_in(request)] == [True]

    @proves(
        "The model is offered the instance's enabled and ready tools and those of its MCP servers, and no others.",
    )
    async def test_tool_of_mcp_server_is_called(self, supervised: EquippedSupervisor) -> None:
        _, request = await self.requests_of(supervised, FakeStep(tools=("files__read",)), ANSWER)
        assert [result.content for result in results_in(request)] == [SERVER_RESULT]

    @proves("The MCP servers are open while the turn runs, and closed when it ends.")
    async def test_mcp_servers_are_open_during_the_turn(self, supervised: EquippedSupervisor) -> None:
        turn = msgspec.structs.replace(supervised.turn, stream=True)
        async with aclosing(supervised.playing(FakeStep(text=("Hel",), hangs=True)).run(turn)) as events:
            await anext(events)
            assert supervised.open_servers == 1
        assert supervised.open_servers == 0

    @proves("The MCP servers are open while the turn runs, and closed when it ends.")
    async def test_mcp_servers_are_closed_after_the_turn(self, supervised: EquippedSupervisor) -> None:
        await self.requests_of(supervised, ANSWER)
        assert supervised.open_servers == 0

    @proves("For any other exception, the model only learns that the tool failed.")
    @proves("A failed tool call gives the model an error result, and the turn continues.")
    async def test_failed_tool_gives_error_result(self, supervised: EquippedSupervisor) -> None:
        _, request = await self.requests_of(supervised, FakeStep(tools=("fail", "answer")), ANSWER)
        failed, answered = results_in(request)
        assert (failed.is_error, answered.is_error) == (True, False)

    # limits

    @proves("The model makes at most `max_steps` calls, and gets no tools in the last one.")
    async def test_steps_are_limited_and_last_one_has_no_tools(self, supervised: EquippedSupervisor) -> None:
        requests = await self.requests_of(
            supervised, FakeStep(text=("Well.",), tools=("answer",)), limits={"max_steps": 3}
        )
        assert [bool(request.tools) for request in requests] == [True, True, False]
        assert len(supervised.runs) == 2

    @proves("At most `max_tool_calls` tools run.")
    async def test_tool_calls_are_limited(self, supervised: EquippedSupervisor) -> None:
        await self.requests_of(supervised, FakeStep(tools=("answer",) * 3), ANSWER, limits={"max_tool_calls": 2})
        assert len(supervised.runs) == 2

    @proves("A tool that doesn't finish in `tool_seconds` is cancelled.")
    async def test_tool_that_takes_too_long_is_cancelled(self, supervised: EquippedSupervisor) -> None:
        turn = self.turn_with(supervised, limits={"tool_seconds": 0.05})
        events = await self.events_of(supervised.playing(FakeStep(tools=("hang", "answer")), ANSWER), turn)
        finished = {event.name: event.ok for event in events if isinstance(event, ToolFinished)}
        assert finished == {"hang": False, "answer": True}
        assert isinstance(events[-1], TurnFinished)

    # secrets

    @proves(
        "A tool receives only the secrets that it declares, and the model sees the name of a secret "
        "instead of its value in the tool's result.",
    )
    async def test_tool_receives_only_its_secrets(self, supervised: EquippedSupervisor) -> None:
        await self.requests_of(supervised, FakeStep(tools=("answer", "reveal")), ANSWER)
        received = {run.name: [secret.reveal() for secret in run.secrets.values()] for run in supervised.runs}
        assert received == {"answer": [], "reveal": [TOOL_SECRET]}

    @proves(
        "A tool receives only the secrets that it declares, and the model sees the name of a secret "
        "instead of its value in the tool's result.",
    )
    @pytest.mark.parametrize("name", ["reveal", "reveal_in_error", "fail"])
    async def test_model_sees_no_secret_in_results(self, supervised: EquippedSupervisor, name: str) -> None:
        _, request = await self.requests_of(supervised, FakeStep(tools=(name,)), ANSWER)
        (result,) = results_in(request)
        assert TOOL_SECRET not in result.content

    @proves(
        "A tool receives only the secrets that it declares, and the model sees the name of a secret "
        "instead of its value in the tool's result.",
    )
    async def test_model_sees_name_of_secret_in_result(self, supervised: EquippedSupervisor) -> None:
        _, request = await self.requests_of(supervised, FakeStep(tools=("reveal",)), ANSWER)
        (result,), (run,) = results_in(request), supervised.runs
        (name,) = run.secrets
        assert result.content.partition("The token is ")[2].partition(", isn't it?")[0].strip("[]") == name

    # helpers

    async def requests_of(
        self, supervised: EquippedSupervisor, *steps: FakeStep, **changes: Any
    ) -> Sequence[ModelRequest]:
        """Runs a turn whose model performs these steps, and returns the requests of the model."""
        turn = self.turn_with(supervised, **changes)
        await self.events_of(supervised.playing(*steps), turn)
        return supervised.requests

    def turn_with(
        self, supervised: EquippedSupervisor, *, limits: Mapping[str, float] | None = None, **fields: Any
    ) -> Turn:
        """Returns the turn with other limits or fields."""
        turn = supervised.turn
        budget = msgspec.structs.replace(turn.budget, **(limits or {}))
        return msgspec.structs.replace(turn, budget=budget, **fields)

    async def events_of(self, supervisor: Supervisor, turn: Turn) -> list[SupervisorEvent]:
        """Returns all events of a turn that ends soon."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await events_of(supervisor.run(turn))


def results_in(request: ModelRequest) -> list[ToolResult]:
    """Returns the tool results among the messages of a request."""
    return [message for message in request.messages if isinstance(message, ToolResult)]
