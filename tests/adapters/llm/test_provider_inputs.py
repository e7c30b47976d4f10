"""Reads each body of the table in every way in which it can arrive."""

from collections.abc import Sequence
from contextlib import aclosing
from typing import Any

import aiohttp
import msgspec
import pytest

from adapters.llm import anthropic_inputs, provider_inputs
from adapters.llm.provider_inputs import Call, Case
from polyant.adapters.llm.anthropic_chat_model import AnthropicChatModel
from polyant.adapters.llm.openai_chat_model import OpenAIChatModel
from polyant.domain.chat import ModelEvent, ModelFinished, ModelRequest, ProviderData, TextDelta, ToolCall, Usage
from polyant.domain.errors import ProviderError
from polyant.domain.limits import ProviderTimeouts
from polyant.domain.ports.chat_model import ChatModel
from polyant.testing.event_stream import Split, at_random, whole
from polyant.testing.instant_clock import InstantClock
from support.upstream import Reply, ScriptedUpstream

Way = tuple[bool, str, Split]
"""Whether a stream is requested, the Content-Type of the response, and how the response is split."""

WAYS: dict[str, Way] = {
    "stream": (True, "text/event-stream", whole),
    "stream labelled JSON, in pieces": (True, "application/json", at_random(1)),
    "whole labelled as a stream": (False, "text/event-stream", whole),
}


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> Way:
    return WAYS[request.param]


def named(cases: Sequence[Case]) -> list[Any]:
    return [pytest.param(case, id=case.name) for case in cases]


@pytest.mark.parametrize("case", named(provider_inputs.OPENAI))
async def test_openai_compatible_input(
    *, case: Case, way: Way, http: aiohttp.ClientSession, upstream: ScriptedUpstream, model_request: ModelRequest
) -> None:
    model = OpenAIChatModel(http=http, clock=InstantClock(), timeouts=ProviderTimeouts())
    await check(case, way, model, upstream, model_request)


@pytest.mark.parametrize("case", named(anthropic_inputs.ANTHROPIC))
async def test_anthropic_input(
    *, case: Case, way: Way, http: aiohttp.ClientSession, upstream: ScriptedUpstream, model_request: ModelRequest
) -> None:
    model = AnthropicChatModel(http=http, clock=InstantClock(), timeouts=ProviderTimeouts())
    await check(case, way, model, upstream, model_request)


async def check(case: Case, way: Way, model: ChatModel, upstream: ScriptedUpstream, request: ModelRequest) -> None:
    stream, label, split = way
    pieces = tuple(split(case.body)) if case.body else ()
    upstream.otherwise = Reply(headers={"Content-Type": label}, framing="chunked", pieces=pieces)
    events, failure = await outcome(model, msgspec.structs.replace(request, stream=stream))
    assert failure == case.fails
    texts = [event.text for event in events if isinstance(event, TextDelta)]
    assert all(texts)
    assert "".join(texts) == (case.text if stream or case.fails is None else "")
    if case.fails is None:
        assert [_call(event) for event in events if isinstance(event, ToolCall)] == [*map(_expected, case.calls)]
        check_end(case, events[-1])


def check_end(case: Case, finished: ModelEvent) -> None:
    assert isinstance(finished, ModelFinished)
    assert case.usage is None or finished.usage == Usage(*case.usage)
    assert case.finish_reason in (None, finished.finish_reason)
    assert _state(finished.provider_data) == case.state


async def outcome(model: ChatModel, request: ModelRequest) -> tuple[list[ModelEvent], str | None]:
    """Returns the events of a call, and the kind of failure or None."""
    events: list[ModelEvent] = []
    try:
        async with aclosing(model.generate(request)) as coming:
            async for event in coming:
                events.append(event)  # noqa: PERF401 - the events must survive the error
    except ProviderError as error:
        return events, error.kind
    return events, None


def _call(call: ToolCall) -> tuple[str, str, str | None, Any]:
    assert call.id
    return call.name, call.arguments, None if call.id.startswith("call_") else call.id, _state(call.provider_data)


def _expected(call: Call) -> tuple[str, str, str | None, Any]:
    return call.name, call.arguments, call.id, call.state


def _state(data: ProviderData | None) -> Any:
    return None if data is None else msgspec.json.decode(data.data)
