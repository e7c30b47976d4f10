"""Chat models that each break one promise, and two whose provider lacks something, which are right."""

import math
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any, ClassVar

import aiohttp
import msgspec
import pytest

from polyant.adapters.llm.openai_chat_model import OpenAIChatModel
from polyant.adapters.llm.public_http import PublicHttp
from polyant.domain.chat import (
    AssistantMessage,
    ModelEvent,
    ModelFinished,
    ModelMessage,
    ModelRequest,
    Sampling,
    ToolCall,
    ToolResult,
    Usage,
)
from polyant.domain.limits import ProviderTimeouts
from polyant.domain.ports.chat_model import ChatModel
from polyant.testing import chat_model
from polyant.testing.chat_model import RemoteChatModelContract
from polyant.testing.http_provider import HttpProviderRig
from polyant.testing.instant_clock import InstantClock
from polyant.testing.sent_requests import ChatModelCapabilities
from polyant.testing.upstream import ScriptedUpstream
from support.patience import seconds
from support.provider_protocols import OpenAIProtocol


class Wrong(ChatModel):
    """Changes the requests to a right model, and its events."""

    info = OpenAIChatModel.info

    def __init__(self, model: ChatModel) -> None:
        self._model = model

    async def generate(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        events = self._model.generate(self.changed(request))
        try:
            async for event in events:
                yield self.reported(event)
        finally:
            await events.aclose()

    async def check(self, base_url: str, *, public_only: bool = False) -> None:
        await self._model.check(base_url, public_only=public_only)

    def changed(self, request: ModelRequest) -> ModelRequest:
        return request

    def reported(self, event: ModelEvent) -> ModelEvent:
        return event


class ModelContract(RemoteChatModelContract):
    wrong: type[Wrong]

    @pytest.fixture(autouse=True)
    def impatient(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(chat_model, "PATIENCE_SECONDS", seconds(2))  # a wrong model only wastes the time until then

    @pytest.fixture
    async def provider(self) -> AsyncIterator[HttpProviderRig]:
        clock = InstantClock()
        async with ScriptedUpstream() as upstream, self.session() as http, PublicHttp() as public_http:
            model = OpenAIChatModel(http=http, clock=clock, timeouts=ProviderTimeouts(), public_http=public_http)
            yield HttpProviderRig(upstream, self.wrong(model), OpenAIProtocol(), clock=clock)

    def session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession()


class WithoutSystem(Wrong):
    def changed(self, request: ModelRequest) -> ModelRequest:
        return msgspec.structs.replace(request, system="")


class TestSystemPromptDropped(ModelContract):
    wrong = WithoutSystem


class WithoutTools(Wrong):
    def changed(self, request: ModelRequest) -> ModelRequest:
        return msgspec.structs.replace(request, tools=())


class TestToolsDropped(ModelContract):
    wrong = WithoutTools


class WithoutToolHistory(Wrong):
    def changed(self, request: ModelRequest) -> ModelRequest:
        return msgspec.structs.replace(request, messages=tuple(filter(_is_plain, request.messages)))


def _is_plain(message: ModelMessage) -> bool:
    return not isinstance(message, ToolResult) and not (isinstance(message, AssistantMessage) and message.tool_calls)


class TestToolHistoryDropped(ModelContract):
    wrong = WithoutToolHistory


class OnlyLastMessage(Wrong):
    def changed(self, request: ModelRequest) -> ModelRequest:
        return msgspec.structs.replace(request, messages=request.messages[-1:])


class TestHistoryDropped(ModelContract):
    wrong = OnlyLastMessage


class WithoutSampling(Wrong):
    def changed(self, request: ModelRequest) -> ModelRequest:
        return msgspec.structs.replace(request, sampling=Sampling())


class TestSamplingDropped(ModelContract):
    wrong = WithoutSampling


class WithoutKey(Wrong):
    def changed(self, request: ModelRequest) -> ModelRequest:
        return msgspec.structs.replace(request, api_key=None)


class TestKeyNotSent(ModelContract):
    wrong = WithoutKey


class WithoutDeadline(Wrong):
    def changed(self, request: ModelRequest) -> ModelRequest:
        return request if request.deadline < 0 else msgspec.structs.replace(request, deadline=math.inf)


class TestDeadlineIgnored(ModelContract):
    wrong = WithoutDeadline


class AlwaysStops(Wrong):
    def reported(self, event: ModelEvent) -> ModelEvent:
        is_cut = isinstance(event, ModelFinished) and event.finish_reason == "length"
        return msgspec.structs.replace(event, finish_reason="stop") if is_cut else event


class TestLengthReportedAsStop(ModelContract):
    wrong = AlwaysStops


class FollowingSession(aiohttp.ClientSession):
    """Follows redirects, whatever the caller asks for."""

    async def _request(self, *arguments: Any, **options: Any) -> aiohttp.ClientResponse:
        return await super()._request(*arguments, **{**options, "allow_redirects": True})


class TestRedirectsFollowed(ModelContract):
    wrong = Wrong

    def session(self) -> aiohttp.ClientSession:
        return FollowingSession()


class Reformats(Wrong):
    """Is right, although its provider has no ids and its arguments are in another form."""

    _numbers: ClassVar[list[int]] = []

    def reported(self, event: ModelEvent) -> ModelEvent:
        if not isinstance(event, ToolCall):
            return event
        self._numbers.append(0)
        arguments = msgspec.json.format(event.arguments.encode(), indent=4).decode()
        return msgspec.structs.replace(event, id=f"made_up_{len(self._numbers)}", arguments=arguments)


class TestRightWithoutIdsOfTheProvider(ModelContract):
    capabilities = ChatModelCapabilities(call_ids=False)
    wrong = Reformats


class TestIdsMadeUp(ModelContract):
    wrong = Reformats


class SameId(Wrong):
    def reported(self, event: ModelEvent) -> ModelEvent:
        return msgspec.structs.replace(event, id="call") if isinstance(event, ToolCall) else event


class TestSameIds(ModelContract):
    capabilities = ChatModelCapabilities(call_ids=False)
    wrong = SameId


class WithoutStreamedUsage(Wrong):
    """Is right if its provider reports no usage in streams."""

    _stream = False

    def changed(self, request: ModelRequest) -> ModelRequest:
        self._stream = request.stream
        return request

    def reported(self, event: ModelEvent) -> ModelEvent:
        silent = isinstance(event, ModelFinished) and self._stream
        return msgspec.structs.replace(event, usage=Usage()) if silent else event


class TestRightWithoutStreamedUsage(ModelContract):
    capabilities = ChatModelCapabilities(streaming_usage=False)
    wrong = WithoutStreamedUsage


class TestStreamedUsageDropped(ModelContract):
    wrong = WithoutStreamedUsage
