"""A chat model and tools that do what a test tells them, and tell what runs; for Supervisors built of such parts."""

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
    """What a model does in one call: it speaks, calls tools without arguments, and then fails, hangs or ends."""

    text: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    """Names of the tools to call."""
    calls: tuple[ToolCall, ...] = ()
    """Calls to make, where names aren't enough."""
    usage: Usage = Usage()
    provider_data: ProviderData | None = None
    fails: ProviderFailure | None = None
    hangs: bool = False


class Activity:
    """Counts what runs and what hangs."""

    def __init__(self) -> None:
        self.running = 0
        self.max_running = 0
        self._hanging = 0
        self._changed = asyncio.Event()

    @contextmanager
    def runs(self) -> Iterator[None]:
        """Counts what is done inside."""
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
        """Returns once so many hang."""
        while self._hanging < count:
            self._changed.clear()
            await self._changed.wait()


class FakeChatModel(ChatModel):
    """Takes one step a call; the last one stays. Or the step that a function gives for the request."""

    info = ProviderInfo(
        name="played",
        default_model="model",
        base_url="http://played.invalid",
        secret=SecretName("played_api_key"),
    )

    def __init__(self, play: Sequence[FakeStep] | Callable[[ModelRequest], FakeStep], activity: Activity) -> None:
        self._play = play
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
                finish_reason="tool_calls" if step.tools else "stop",
                provider_data=step.provider_data,
            )

    async def check(self, base_url: str) -> None:
        """Returns."""

    def _step(self, request: ModelRequest) -> FakeStep:
        if callable(self._play):
            return self._play(request)
        return self._play[min(len(self.requests), len(self._play)) - 1]


class NoArguments(msgspec.Struct, frozen=True):
    """What a tool takes that takes nothing."""


class FakeTool(Tool):
    """Does what a function does."""

    def __init__(
        self,
        name: str,
        play: Callable[[Any, ToolContext], Awaitable[str]],
        activity: Activity,
        *,
        arguments: type[msgspec.Struct] = NoArguments,
        secrets: tuple[SecretName, ...] = (),
    ) -> None:
        self.name = name
        self.description = f"Does {name}."
        self.arguments = arguments
        self.secrets = secrets
        self._play = play
        self._activity = activity

    async def run(self, arguments: Any, context: ToolContext) -> str:
        with self._activity.runs():
            return await self._play(arguments, context)
