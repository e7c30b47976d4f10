"""The part of the ChatModel contract about the requests that reach the provider."""

from collections.abc import Sequence
from typing import Any, ClassVar, Protocol

import msgspec
import pytest

from polyant.domain.chat import AssistantMessage, ModelRequest, Sampling, ToolResult, ToolSpec, UserMessage
from polyant.domain.errors import ProviderError
from polyant.domain.ports.chat_model import ChatModel
from polyant.testing.contract import Contract, proves
from polyant.testing.provider_scripts import CALLS, HELLO, TOOL, ProviderUnderTest, events_of
from polyant.testing.received_calls import ReceivedCall, meaning_of_messages, meaning_of_tools

FORECAST = ToolSpec(
    name="forecast",
    description="Tells the weather of other days.",
    parameters=msgspec.Raw(
        b'{"type":"object","properties":{"day":{"type":"string","enum":["today","tomorrow"]},'
        b'"hours":{"type":"array","items":{"type":"integer"}}},"required":["day"]}'
    ),
)
CONVERSATION = (
    UserMessage.of("Good morning."),
    AssistantMessage("Good morning! How can I help?"),
    UserMessage.of("How is the weather\nin Zürich and in Oslo? 🌦"),
    AssistantMessage("Let me see.", CALLS),
    ToolResult(call_id="call_1", content='Fog, {"degrees": 7}'),
    ToolResult(call_id="call_2", content="No such city", is_error=True),
    AssistantMessage("Fog in Zürich; I can't find Oslo."),
    UserMessage.of("And tomorrow?"),
)
SAMPLING: dict[str, Any] = {
    "temperature": 0.25,
    "top_p": 0.5,
    "max_tokens": 77,
    "stop": ("END", "###"),
    "seed": 42,
    "presence_penalty": 0.5,
    "frequency_penalty": -0.5,
}


class ChatModelCapabilities(msgspec.Struct, frozen=True, kw_only=True):
    """The features of a provider's protocol."""

    call_ids: bool = True
    """The provider gives each tool call an id. Otherwise the model makes one up."""
    streaming_usage: bool = True
    """A stream reports token counts. Otherwise a stream's usage is zero."""
    cached_tokens: bool = True
    """The provider reports how many tokens it read from its prompt cache. Otherwise their number is zero."""
    content_filter: bool = True
    """The provider reports that it left out content. Otherwise such an answer ends with `stop`."""
    temperature: bool = True
    top_p: bool = True
    max_tokens: bool = True
    stop: bool = True
    seed: bool = True
    presence_penalty: bool = True
    frequency_penalty: bool = True


class ReceivingProvider(ProviderUnderTest, Protocol):
    """A provider that shows what it received."""

    @property
    def received(self) -> Sequence[ReceivedCall]:
        """The calls that the provider has received."""

    def redirecting(self, status: int) -> ChatModel:
        """Returns the model; its provider redirects each call, with this status, to another address of its own."""

    @property
    def redirected(self) -> int:
        """The number of requests that arrived at the other address."""


class SentRequestsContract(Contract):
    """The tests of the requests that a ChatModel sends; subclasses provide the provider under test."""

    capabilities: ClassVar[ChatModelCapabilities] = ChatModelCapabilities()

    @pytest.fixture
    def provider(self) -> ReceivingProvider:
        raise NotImplementedError("return the provider under test")

    @pytest.fixture(params=[True, False], ids=["stream", "whole"])
    def stream(self, request: pytest.FixtureRequest) -> bool:
        return bool(request.param)

    @proves(
        "The provider gets the key, the model's name, the system prompt, the whole conversation with its"
        " tool calls and results, the tools, and the sampling parameters that it has.",
    )
    async def test_key_and_model_are_sent(self, *, provider: ReceivingProvider, stream: bool) -> None:
        call = await self.sent(provider, stream=stream)
        assert provider.request.api_key is not None
        assert (call.api_key, call.model) == (provider.request.api_key.reveal(), provider.request.model)

    async def test_call_without_key_sends_none(self, provider: ReceivingProvider) -> None:
        assert (await self.sent(provider, api_key=None)).api_key is None

    async def test_stream_is_requested_only_if_wanted(self, *, provider: ReceivingProvider, stream: bool) -> None:
        assert (await self.sent(provider, stream=stream)).stream is stream

    @proves(
        "The provider gets the key, the model's name, the system prompt, the whole conversation with its"
        " tool calls and results, the tools, and the sampling parameters that it has.",
    )
    async def test_system_prompt_is_sent(self, *, provider: ReceivingProvider, stream: bool) -> None:
        system = "You are Otto.\n\n---\n\nBe brief, and «exact» 🐜.\n"
        call = await self.sent(provider, stream=stream, system=system)
        assert call.system.strip() == system.strip()

    async def test_system_prompt_with_instructions_of_the_caller_is_sent(self, provider: ReceivingProvider) -> None:
        call = await self.sent(provider, system="Be brief.\n\nCall me Zoë.", caller_section="Call me Zoë.")
        assert call.system == "Be brief.\n\nCall me Zoë."

    @proves(
        "The provider gets the key, the model's name, the system prompt, the whole conversation with its"
        " tool calls and results, the tools, and the sampling parameters that it has.",
    )
    async def test_tools_are_sent(self, *, provider: ReceivingProvider, stream: bool) -> None:
        call = await self.sent(provider, stream=stream, tools=(TOOL, FORECAST))
        assert meaning_of_tools(call.tools) == meaning_of_tools((TOOL, FORECAST))

    async def test_withheld_tools_are_not_offered(self, provider: ReceivingProvider) -> None:
        assert (await self.sent(provider, messages=CONVERSATION)).tools == ()

    @proves(
        "The provider gets the key, the model's name, the system prompt, the whole conversation with its"
        " tool calls and results, the tools, and the sampling parameters that it has.",
        "The arguments of tool calls keep their meaning, and each call has an id that is unique in the response.",
    )
    async def test_conversation_is_sent(self, *, provider: ReceivingProvider, stream: bool) -> None:
        call = await self.sent(provider, stream=stream, messages=CONVERSATION, tools=(TOOL,))
        assert meaning_of_messages(call.messages) == meaning_of_messages(CONVERSATION)

    @proves(
        "The provider gets the key, the model's name, the system prompt, the whole conversation with its"
        " tool calls and results, the tools, and the sampling parameters that it has.",
    )
    @pytest.mark.parametrize("name", SAMPLING)
    async def test_sampling_is_sent(self, provider: ReceivingProvider, name: str) -> None:
        call = await self.sent(provider, sampling=Sampling(**{name: SAMPLING[name]}))
        expected = SAMPLING[name] if getattr(self.capabilities, name) else getattr(Sampling(), name)
        assert getattr(call.sampling, name) == expected

    @proves("Redirects aren't followed, because another server would get the key.")
    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    async def test_redirect_is_not_followed(self, provider: ReceivingProvider, status: int) -> None:
        """It would send the key and the conversation to another server."""
        with pytest.raises(ProviderError):
            await events_of(provider.redirecting(status), provider.request)
        assert provider.redirected == 0

    async def sent(self, provider: ReceivingProvider, **changes: Any) -> ReceivedCall:
        """Returns what the provider receives when the request is changed in this way."""
        request: ModelRequest = msgspec.structs.replace(provider.request, **changes)
        await events_of(provider.answering(HELLO), request)
        (call,) = provider.received
        return call
