"""The contract of the port ChatModel: tests for every model, and for models that call a provider over a network."""

import asyncio
from contextlib import aclosing
from typing import ClassVar, Protocol

import msgspec
import pytest

from polyant.domain.chat import (
    AssistantMessage,
    ModelEvent,
    ModelMessage,
    ModelRequest,
    TextDelta,
    ToolResult,
    ToolSpec,
    Usage,
    UserMessage,
)
from polyant.domain.errors import ProviderError, ProviderFailure
from polyant.domain.ports.chat_model import ChatModel
from polyant.testing.contract import Contract, proves
from polyant.testing.provider_scripts import (
    CALLS,
    HELLO,
    PROVIDER_TEXT,
    TOOL,
    TWO_CALLS,
    FinishReason,
    ProviderUnderTest,
    ScriptedAnswer,
    events_of,
    expected_events,
)
from polyant.testing.received_calls import meaning_of_events
from polyant.testing.sent_requests import ChatModelCapabilities, ReceivingProvider, SentRequestsContract

SEEN_AT_ONCE = 1.0

PATIENCE_SECONDS = 30.0
"""How long a test waits for a call to fail at its deadline."""


class RemoteProviderUnderTest(ReceivingProvider, Protocol):
    """A provider that is called over a network, at a private address."""

    @property
    def calls(self) -> int:
        """The number of calls received."""

    def breaking_off(self, *text: str) -> ChatModel:
        """Returns the model; on each call, its provider sends the headers and these chunks, then cuts the stream."""

    def hanging(self, *text: str) -> ChatModel:
        """Returns the model; its provider sends these chunks and then hangs; without chunks, it sends no headers."""

    def trickling(self) -> ChatModel:
        """Returns the model; its provider sends a few bytes of text every few milliseconds, for half a minute."""

    def request_ending_in(self, seconds: float) -> ModelRequest:
        """Returns a streaming request with a deadline that many seconds from now."""

    async def called(self) -> None:
        """Returns once a call has arrived."""

    async def hung_up(self) -> None:
        """Returns once the model has closed the connections of all calls."""

    def nowhere(self) -> str:
        """Returns a base URL where no server is reachable."""


class ChatModelContract(Contract):
    """The tests that every ChatModel must pass; subclasses provide the provider under test."""

    capabilities: ClassVar[ChatModelCapabilities] = ChatModelCapabilities()

    @pytest.fixture
    def provider(self) -> ProviderUnderTest:
        raise NotImplementedError("return the provider under test")

    @pytest.fixture(params=[True, False], ids=["stream", "whole"])
    def stream(self, request: pytest.FixtureRequest) -> bool:
        return bool(request.param)

    def test_implements_the_port(self, provider: ProviderUnderTest) -> None:
        assert isinstance(provider.answering(HELLO), ChatModel)

    @proves(
        "With `stream`, text arrives in the provider's pieces, otherwise in one piece; the joined text is the same.",
    )
    async def test_streamed_text_arrives_in_provider_chunks(self, provider: ProviderUnderTest) -> None:
        request = msgspec.structs.replace(provider.request, stream=True)
        self.check(await events_of(provider.answering(HELLO), request), HELLO, stream=True)

    @proves(
        "With `stream`, text arrives in the provider's pieces, otherwise in one piece; the joined text is the same.",
    )
    async def test_whole_text_equals_joined_stream_chunks(self, provider: ProviderUnderTest) -> None:
        self.check(await events_of(provider.answering(HELLO), provider.request), HELLO, stream=False)

    @proves(
        "Yields the model's output as it arrives: text deltas, then tool calls, then exactly one ModelFinished.",
        "The arguments of tool calls keep their meaning, and each call has an id that is unique in the response.",
    )
    async def test_events_are_text_then_tool_calls_then_finish(
        self, *, provider: ProviderUnderTest, stream: bool
    ) -> None:
        request = msgspec.structs.replace(provider.request, stream=stream, tools=(TOOL,))
        self.check(await events_of(provider.answering(TWO_CALLS), request), TWO_CALLS, stream=stream)

    async def test_tool_calls_without_text_yield_no_empty_delta(
        self,
        *,
        provider: ProviderUnderTest,
        stream: bool,
    ) -> None:
        answer = ScriptedAnswer(text=(), tool_calls=CALLS[:1], finish_reason="tool_calls")
        request = msgspec.structs.replace(provider.request, stream=stream, tools=(TOOL,))
        self.check(await events_of(provider.answering(answer), request), answer, stream=stream)

    @proves("A request without a user message is sent in a form that the provider accepts.")
    @pytest.mark.parametrize(
        "messages",
        [
            (),
            (AssistantMessage("Good morning."),),
            (AssistantMessage(""),),
            (UserMessage.of(""),),
            (UserMessage.of(" \n"), AssistantMessage("")),
        ],
        ids=["none", "assistant's", "empty assistant's", "empty user's", "blank"],
    )
    async def test_request_without_user_text_is_accepted(
        self, provider: ProviderUnderTest, messages: tuple[ModelMessage, ...]
    ) -> None:
        request = msgspec.structs.replace(provider.request, messages=messages)
        self.check(await events_of(provider.answering(HELLO), request), HELLO, stream=False)

    @pytest.mark.parametrize("tools", [(TOOL,), ()], ids=["tools", "tools withheld"])
    async def test_tool_results_are_accepted(self, provider: ProviderUnderTest, tools: tuple[ToolSpec, ...]) -> None:
        messages = (
            UserMessage.of("How is the weather?"),
            AssistantMessage("", CALLS),
            ToolResult(call_id="call_1", content="Fog"),
            ToolResult(call_id="call_2", content="", is_error=True),
        )
        request = msgspec.structs.replace(provider.request, messages=messages, tools=tools)
        self.check(await events_of(provider.answering(HELLO), request), HELLO, stream=False)

    @proves("ProviderError: The provider failed.")
    @pytest.mark.parametrize("kind", list(ProviderFailure))
    async def test_failure_has_its_kind(
        self,
        *,
        provider: ProviderUnderTest,
        stream: bool,
        kind: ProviderFailure,
    ) -> None:
        model = provider.answering(kind)
        with pytest.raises(ProviderError) as caught:
            await events_of(model, msgspec.structs.replace(provider.request, stream=stream))
        assert (caught.value.provider, caught.value.kind) == (model.info.name, kind)

    async def test_call_past_deadline_is_not_made(self, provider: ProviderUnderTest) -> None:
        with pytest.raises(ProviderError) as caught:
            await events_of(provider.answering(HELLO), msgspec.structs.replace(provider.request, deadline=-1.0))
        assert caught.value.kind is ProviderFailure.TIMEOUT

    @proves("Checks that the provider is reachable at that base URL, without a key and without calling a model.")
    async def test_check_passes_for_reachable_provider(self, provider: ProviderUnderTest) -> None:
        await provider.answering(ProviderFailure.AUTH).check(provider.request.base_url)

    def check(self, events: list[ModelEvent], answer: ScriptedAnswer, *, stream: bool) -> None:
        """Checks that the events mean what the answer says."""
        usage, capabilities = answer.usage, self.capabilities
        if not capabilities.cached_tokens:
            usage = Usage(usage.prompt_tokens, usage.completion_tokens)
        if stream and not capabilities.streaming_usage:
            usage = Usage()
        answer = msgspec.structs.replace(answer, usage=usage)
        if answer.finish_reason == "content_filter" and not capabilities.content_filter:
            answer = msgspec.structs.replace(answer, finish_reason="stop")
        expected = expected_events(answer, stream=stream)
        call_ids = self.capabilities.call_ids
        assert meaning_of_events(events, call_ids=call_ids) == meaning_of_events(expected, call_ids=call_ids)


class RemoteChatModelContract(ChatModelContract, SentRequestsContract):
    """The additional tests for a ChatModel that calls a provider over a network."""

    @pytest.fixture
    def provider(self) -> RemoteProviderUnderTest:
        raise NotImplementedError("return the provider under test")

    @proves("The finish reason and the token counts are the provider's.")
    async def test_tokens_read_from_the_prompt_cache_are_reported(
        self, *, provider: RemoteProviderUnderTest, stream: bool
    ) -> None:
        answer = ScriptedAnswer(usage=Usage(12, 34, 5))
        request = msgspec.structs.replace(provider.request, stream=stream)
        self.check(await events_of(provider.answering(answer), request), answer, stream=stream)

    @proves("The finish reason and the token counts are the provider's.")
    @pytest.mark.parametrize("reason", ["stop", "length", "content_filter"])
    async def test_finish_reason_is_reported(
        self, *, provider: RemoteProviderUnderTest, stream: bool, reason: FinishReason
    ) -> None:
        answer = ScriptedAnswer(finish_reason=reason)
        request = msgspec.structs.replace(provider.request, stream=stream)
        self.check(await events_of(provider.answering(answer), request), answer, stream=stream)

    @proves("The call fails at the request's deadline, also in the middle of a stream.")
    @pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
    async def test_deadline_ends_call_before_its_response(
        self, *, provider: RemoteProviderUnderTest, stream: bool
    ) -> None:
        model = provider.hanging()
        request = msgspec.structs.replace(provider.request_ending_in(0.1), stream=stream)
        async with asyncio.timeout(PATIENCE_SECONDS):
            with pytest.raises(ProviderError) as caught:
                await events_of(model, request)
        assert caught.value.kind is ProviderFailure.TIMEOUT

    @proves("The call fails at the request's deadline, also in the middle of a stream.")
    async def test_deadline_ends_silent_stream(self, provider: RemoteProviderUnderTest) -> None:
        await self.check_deadline(provider.hanging("Hel"), provider)

    @proves("The call fails at the request's deadline, also in the middle of a stream.")
    async def test_deadline_ends_stream_that_goes_on(self, provider: RemoteProviderUnderTest) -> None:
        await self.check_deadline(provider.trickling(), provider)

    async def check_deadline(self, model: ChatModel, provider: RemoteProviderUnderTest) -> None:
        """Checks that the model ends a stream at the deadline, closes its connection, and doesn't retry."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            with pytest.raises(ProviderError) as caught:
                await events_of(model, provider.request_ending_in(0.25))
            await provider.hung_up()
        assert caught.value.kind is ProviderFailure.TIMEOUT
        assert provider.calls <= 1

    @proves("Leaving or closing the generator immediately closes the connection to the provider.")
    async def test_closing_generator_closes_connection_immediately(self, provider: RemoteProviderUnderTest) -> None:
        events = provider.hanging("Hel").generate(msgspec.structs.replace(provider.request, stream=True))
        assert await anext(events) == TextDelta("Hel")
        await events.aclose()
        async with asyncio.timeout(SEEN_AT_ONCE):
            await provider.hung_up()

    @proves("Leaving or closing the generator immediately closes the connection to the provider.")
    async def test_cancelling_before_first_event_closes_connection_immediately(
        self,
        *,
        provider: RemoteProviderUnderTest,
        stream: bool,
    ) -> None:
        request = msgspec.structs.replace(provider.request, stream=stream)
        task = asyncio.create_task(events_of(provider.hanging(), request))
        async with asyncio.timeout(PATIENCE_SECONDS):
            await provider.called()
        task.cancel()
        async with asyncio.timeout(SEEN_AT_ONCE):
            await provider.hung_up()

    @proves("Transient failures are retried twice, but never after the first event.")
    @pytest.mark.parametrize(
        "kind",
        [ProviderFailure.RATE_LIMIT, ProviderFailure.OVERLOADED, ProviderFailure.UNREACHABLE],
    )
    async def test_transient_failure_is_retried_twice(
        self, provider: RemoteProviderUnderTest, kind: ProviderFailure
    ) -> None:
        with pytest.raises(ProviderError):
            await events_of(provider.answering(kind), provider.request)
        assert provider.calls == 3

    async def test_second_retry_can_succeed(
        self,
        *,
        provider: RemoteProviderUnderTest,
        stream: bool,
    ) -> None:
        model = provider.answering(ProviderFailure.OVERLOADED, ProviderFailure.RATE_LIMIT, HELLO)
        request = msgspec.structs.replace(provider.request, stream=stream)
        self.check(await events_of(model, request), HELLO, stream=stream)

    @proves("Transient failures are retried twice, but never after the first event.")
    @pytest.mark.parametrize("kind", [ProviderFailure.AUTH, ProviderFailure.BAD_REQUEST])
    async def test_permanent_failure_is_not_retried(
        self, provider: RemoteProviderUnderTest, kind: ProviderFailure
    ) -> None:
        with pytest.raises(ProviderError):
            await events_of(provider.answering(kind), provider.request)
        assert provider.calls == 1

    @proves("Transient failures are retried twice, but never after the first event.")
    async def test_no_retry_after_first_event(self, provider: RemoteProviderUnderTest) -> None:
        events = provider.breaking_off("Hel").generate(msgspec.structs.replace(provider.request, stream=True))
        async with aclosing(events):
            assert await anext(events) == TextDelta("Hel")
            with pytest.raises(ProviderError) as caught:
                await anext(events)
        assert (caught.value.kind, provider.calls) == (ProviderFailure.BAD_RESPONSE, 1)

    async def test_stream_cut_before_first_event_is_retried(self, provider: RemoteProviderUnderTest) -> None:
        with pytest.raises(ProviderError) as caught:
            await events_of(provider.breaking_off(), msgspec.structs.replace(provider.request, stream=True))
        assert (caught.value.kind, provider.calls) == (ProviderFailure.BAD_RESPONSE, 3)

    @proves("The message contains neither the API key nor the provider's text.")
    @pytest.mark.parametrize("kind", list(ProviderFailure))
    async def test_error_and_log_contain_neither_key_nor_provider_text(
        self, provider: RemoteProviderUnderTest, kind: ProviderFailure, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(0)
        with pytest.raises(ProviderError) as caught:
            await events_of(provider.answering(kind), provider.request)
        shown = f"{caught.value!r} {caught.value} {caught.value.__context__!r} {caplog.text}"
        assert provider.request.api_key is not None
        assert provider.request.api_key.reveal() not in shown
        assert PROVIDER_TEXT not in shown

    @proves(
        "With `public_only`, no connection is made to an IP address that isn't public, whatever the "
        "provider's name resolves to.",
        "Such a call fails like a call to a name that doesn't exist, so that nobody can explore a network.",
    )
    async def test_public_only_call_connects_to_no_private_address(
        self, *, provider: RemoteProviderUnderTest, stream: bool
    ) -> None:
        request = msgspec.structs.replace(provider.request, stream=stream, public_only=True)
        with pytest.raises(ProviderError) as caught:
            await events_of(provider.answering(HELLO), request)
        assert (caught.value.kind, provider.calls) == (ProviderFailure.UNREACHABLE, 0)

    @proves("With `public_only`, no connection is made to an IP address that isn't public.")
    async def test_public_only_check_fails_for_private_address(self, provider: RemoteProviderUnderTest) -> None:
        with pytest.raises(ProviderError) as caught:
            await provider.answering(HELLO).check(provider.request.base_url, public_only=True)
        assert caught.value.kind is ProviderFailure.UNREACHABLE

    @proves("Checks that the provider is reachable at that base URL, without a key and without calling a model.")
    async def test_check_calls_no_model(self, provider: RemoteProviderUnderTest) -> None:
        await provider.answering(ProviderFailure.AUTH).check(provider.request.base_url)
        assert provider.calls == 0

    @proves("ProviderError: The provider is unreachable.")
    async def test_check_fails_for_unreachable_provider(self, provider: RemoteProviderUnderTest) -> None:
        with pytest.raises(ProviderError) as caught:
            await provider.answering(HELLO).check(provider.nowhere())
        assert caught.value.kind is ProviderFailure.UNREACHABLE
