from collections.abc import AsyncIterator
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
from polyant.testing.chat_model import ChatModelContract, RemoteChatModelContract
from polyant.testing.event_stream import at_random, byte_by_byte, whole
from polyant.testing.http_provider import HttpProviderRig
from polyant.testing.instant_clock import InstantClock
from polyant.testing.provider_scripts import ProviderUnderTest, ScriptedAnswer
from polyant.testing.sent_requests import ChatModelCapabilities
from polyant.testing.upstream import ScriptedUpstream
from support.provider_protocols import AnthropicProtocol, OpenAIProtocol

SPLITS = {"whole": whole, "byte by byte": byte_by_byte, "random": at_random(0)}


class HttpProviderContract(RemoteChatModelContract):
    protocol: type[OpenAIProtocol | AnthropicProtocol]
    model: type[OpenAIChatModel | AnthropicChatModel]

    @pytest.fixture(params=SPLITS)
    async def provider(self, request: pytest.FixtureRequest) -> AsyncIterator[HttpProviderRig]:
        clock, protocol = InstantClock(), self.protocol(SPLITS[request.param])
        async with ScriptedUpstream() as upstream, aiohttp.ClientSession() as http, PublicHttp() as public_http:
            model = self.model(http=http, clock=clock, timeouts=ProviderTimeouts(), public_http=public_http)
            yield HttpProviderRig(upstream, model, protocol, clock=clock)


class TestOpenAIChatModel(HttpProviderContract):
    protocol = OpenAIProtocol
    model = OpenAIChatModel


class TestAnthropicChatModel(HttpProviderContract):
    capabilities = ChatModelCapabilities(seed=False, presence_penalty=False, frequency_penalty=False)
    protocol = AnthropicProtocol
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
