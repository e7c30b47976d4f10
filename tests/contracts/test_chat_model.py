import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, ClassVar

import aiohttp
import msgspec
import pytest

from polyant.adapters.llm.anthropic_chat_model import AnthropicChatModel
from polyant.adapters.llm.openai_chat_model import OpenAIChatModel
from polyant.adapters.llm.public_http import PublicHttp
from polyant.adapters.llm.scripted_chat_model import ScriptedChatModel
from polyant.domain.chat import ModelRequest, Usage, UserMessage
from polyant.domain.errors import ProviderFailure
from polyant.domain.injectables import ScriptFile
from polyant.domain.limits import ProviderTimeouts
from polyant.domain.ports.chat_model import ChatModel
from polyant.domain.secrets import SecretText
from polyant.testing.chat_model import ChatModelContract, ProviderUnderTest, RemoteChatModelContract, ScriptedAnswer
from support.anthropic_replies import anthropic_failure, anthropic_partial_stream, anthropic_responder
from support.event_stream import Split, at_random, byte_by_byte, whole
from support.instant_clock import InstantClock
from support.openai_replies import openai_failure, openai_partial_stream, openai_responder
from support.upstream import HANG_BEFORE_HEAD, Reply, Responder, ScriptedUpstream, Then

SPLITS = [whole, byte_by_byte, *map(at_random, range(4))]
SPLIT_NAMES = ["whole", "byte by byte", *(f"random {seed}" for seed in range(4))]


class ProviderBehindHttp:
    """A scripted upstream that uses a provider's protocol."""

    responder: Callable[[ScriptedAnswer, Split], Responder]
    failure: Callable[[ProviderFailure], Responder]
    partial_stream: Callable[..., Reply]

    def __init__(self, upstream: ScriptedUpstream, model: ChatModel, split: Split) -> None:
        self._upstream = upstream
        self._model = model
        self._split = split
        self.request = ModelRequest(
            model="some-model",
            base_url=f"{upstream.url}/v1",
            api_key=SecretText("sk-0123456789abcdef"),
            system="Be brief.",
            messages=(UserMessage.of("Hello?"),),
            deadline=100.0,
        )

    @property
    def calls(self) -> int:
        return len(self._upstream.posts)

    def answering(self, *outcomes: ScriptedAnswer | ProviderFailure) -> ChatModel:
        self._upstream.replies.extend(map(self._responder, outcomes))
        self._upstream.otherwise = self._upstream.replies[-1]
        return self._model

    def _responder(self, outcome: ScriptedAnswer | ProviderFailure) -> Responder:
        if isinstance(outcome, ProviderFailure):
            return type(self).failure(outcome)
        return type(self).responder(outcome, self._split)

    def breaking_off(self, *text: str) -> ChatModel:
        self._upstream.otherwise = type(self).partial_stream(*text, then=Then.CUT)
        return self._model

    def hanging(self, *text: str) -> ChatModel:
        self._upstream.otherwise = type(self).partial_stream(*text, then=Then.HANG) if text else HANG_BEFORE_HEAD
        return self._model

    async def called(self) -> None:
        await self._upstream.request()

    async def hung_up(self) -> None:
        await self._upstream.requests[-1].hung_up.wait()

    def nowhere(self) -> str:
        with socket.create_server(("127.0.0.1", 0)) as server:
            return f"http://127.0.0.1:{server.getsockname()[1]}"


class OpenAIBehindHttp(ProviderBehindHttp):
    responder = staticmethod(openai_responder)
    failure = staticmethod(openai_failure)
    partial_stream = staticmethod(openai_partial_stream)


class AnthropicBehindHttp(ProviderBehindHttp):
    responder = staticmethod(anthropic_responder)
    failure = staticmethod(anthropic_failure)
    partial_stream = staticmethod(anthropic_partial_stream)


class HttpProviderContract(RemoteChatModelContract):
    provider_type: type[ProviderBehindHttp]
    model: type[OpenAIChatModel | AnthropicChatModel]

    @pytest.fixture(params=SPLITS, ids=SPLIT_NAMES)
    async def provider(self, request: pytest.FixtureRequest) -> AsyncIterator[ProviderBehindHttp]:
        async with ScriptedUpstream() as upstream, aiohttp.ClientSession() as http, PublicHttp() as public_http:
            model = self.model(http=http, clock=InstantClock(), timeouts=ProviderTimeouts(), public_http=public_http)
            yield self.provider_type(upstream, model, request.param)


class TestOpenAIChatModel(HttpProviderContract):
    provider_type = OpenAIBehindHttp
    model = OpenAIChatModel


class TestAnthropicChatModel(HttpProviderContract):
    provider_type = AnthropicBehindHttp
    model = AnthropicChatModel


class ScriptInFile:
    """A script with one scene of one step."""

    request: ClassVar = ModelRequest(
        model="demo",
        base_url=ScriptedChatModel.info.base_url,
        api_key=None,
        system="Be brief.",
        messages=(UserMessage.of("Hello?"),),
        deadline=100.0,
    )

    def __init__(self, path: Path) -> None:
        self._path = path

    def answering(self, *outcomes: ScriptedAnswer | ProviderFailure) -> ChatModel:
        self._path.write_bytes(msgspec.json.encode([{"steps": [_lines(outcomes[0])]}]))
        return ScriptedChatModel(clock=InstantClock(), script=ScriptFile(self._path))


def _lines(outcome: ScriptedAnswer | ProviderFailure) -> list[dict[str, Any]]:
    if isinstance(outcome, ProviderFailure):
        return [{"fail": outcome}]
    calls = [{"tool": call.name, "arguments": msgspec.json.decode(call.arguments)} for call in outcome.tool_calls]
    return [*({"text": text} for text in outcome.text), *calls]


class TestScriptedChatModel(ChatModelContract):
    @pytest.fixture
    def provider(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ProviderUnderTest:
        # The model counts words, while the contract's answers state their usage.
        monkeypatch.setattr("polyant.adapters.llm.scripted_chat_model._usage", lambda *_: Usage(12, 34))
        return ScriptInFile(tmp_path / "script.json")
