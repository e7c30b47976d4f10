"""A fake chat model and fake tools for tests of Supervisors: scripted by the test, with counts of what is running."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec

from polyant.domain.chat import ModelEvent, ModelFinished, ModelRequest, ProviderData, TextDelta, ToolCall, Usage
from polyant.domain.errors import ProviderError, ProviderFailure
from polyant.domain.ports.chat_model import ChatModel, ProviderInfo
from polyant.domain.ports.tool import Tool
from polyant.domain.secrets import SecretName
from polyant.domain.tools import ToolContext


class FakeStep(msgspec.Struct, frozen=True, kw_only=True):
    """The behaviour of a model in one call: it sends text, calls tools without arguments, then fails, hangs or ends."""

    text: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    """The names of the tools to call."""
    calls: tuple[ToolCall, ...] = ()
    """Complete tool calls, for tests that need more than names."""
    usage: Usage = Usage()
    provider_data: ProviderData | None = None
    paused: bool = False
    """Whether the provider interrupts the response after the text."""
    fails: ProviderFailure | None = None
    hangs: bool = False


class Activity:
    """Counts the running and the hanging model calls and tools."""

    def __init__(self) -> None:
        self.running = 0
        self.max_running = 0
        self._hanging = 0
        self._changed = asyncio.Event()

    @contextmanager
    def runs(self) -> Iterator[None]:
        """Counts the work inside the context as running."""
        self.running += 1
        self.max_running = max(self.max_running, self.running)
        try:
            yield
        finally:
            self.running -= 1

    async def hang(self) -> None:
        """Never returns."""
        self._hanging += 1
        self._changed.set()
        try:
            await asyncio.Event().wait()
        finally:
            self._hanging -= 1

    async def hanging(self, count: int = 1) -> None:
        """Returns once that many calls hang."""
        while self._hanging < count:
            self._changed.clear()
            await self._changed.wait()


class FakeChatModel(ChatModel):
    """A chat model that performs scripted steps.

    Args:
        steps: The steps, one per call, of which the last repeats; or a function that returns the step for a request.
        activity: Counts the running calls.
    """

    info = ProviderInfo(
        name="fake",
        default_model="model",
        base_url="http://fake.invalid",
        secret=SecretName("fake_api_key"),
    )

    def __init__(self, steps: Sequence[FakeStep] | Callable[[ModelRequest], FakeStep], activity: Activity) -> None:
        self._steps = steps
        self._activity = activity
        self.requests: list[ModelRequest] = []

    async def generate(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        self.requests.append(request)
        step = self._step(request)
        with self._activity.runs():
            for text in step.text:
                yield TextDelta(text)
            if step.fails is not None:
                raise ProviderError(self.info.name, step.fails)
            if step.hangs:
                await self._activity.hang()
            named = (ToolCall(id=f"{name}_{number}", name=name, arguments="") for number, name in enumerate(step.tools))
            for call in (*named, *step.calls):
                yield call
            yield ModelFinished(
                usage=step.usage,
                finish_reason="paused" if step.paused else "tool_calls" if step.tools else "stop",
                provider_data=step.provider_data,
            )

    async def check(self, base_url: str, *, public_only: bool = False) -> None:
        """Always succeeds."""

    def _step(self, request: ModelRequest) -> FakeStep:
        if callable(self._steps):
            return self._steps(request)
        return self._steps[min(len(self.requests), len(self._steps)) - 1]


class NoArguments(msgspec.Struct, frozen=True):
    """The arguments of a tool without parameters."""


class FakeTool(Tool):
    """A tool that calls a function of the test."""

    def __init__(
        self,
        name: str,
        function: Callable[[Any, ToolContext], Awaitable[str]],
        activity: Activity,
        *,
        arguments: type[msgspec.Struct] = NoArguments,
        secrets: tuple[SecretName, ...] = (),
    ) -> None:
        self.name = name
        self.description = f"Does {name}."
        self.arguments = arguments
        self.secrets = secrets
        self._function = function
        self._activity = activity

    async def run(self, arguments: Any, context: ToolContext) -> str:
        with self._activity.runs():
            return await self._function(arguments, context)
