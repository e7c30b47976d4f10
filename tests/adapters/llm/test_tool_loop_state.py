"""A turn of the default Supervisor returns a provider's opaque state in its next request, with both adapters."""

from typing import Any

import aiohttp
import msgspec
import pytest

from adapters.llm import anthropic_inputs as anthropic
from adapters.llm import provider_inputs as openai
from polyant.adapters.llm.anthropic_chat_model import AnthropicChatModel
from polyant.adapters.llm.openai_chat_model import OpenAIChatModel
from polyant.domain.agent_loop.agent import Agent
from polyant.domain.agent_loop.budget import RemainingBudget
from polyant.domain.agent_loop.guarded_tools import GuardedTools
from polyant.domain.chat import ModelRequest, TextDelta
from polyant.domain.limits import ProviderTimeouts
from polyant.domain.ports.chat_model import ChatModel
from polyant.testing.event_stream import EVENT_STREAM
from polyant.testing.instant_clock import InstantClock
from support.tool_loop import ToolLoop
from support.upstream import Reply, ScriptedUpstream


async def second_request(
    model: ChatModel, request: ModelRequest, upstream: ScriptedUpstream, *bodies: bytes
) -> list[dict[str, Any]]:
    """Returns the messages of the second model call."""
    await run(model, request, upstream, *bodies)
    messages: list[dict[str, Any]] = upstream.requests[1].json()["messages"]
    return messages


async def run(
    model: ChatModel, request: ModelRequest, upstream: ScriptedUpstream, *bodies: bytes, max_steps: int = 2
) -> str:
    """Returns the text of a turn whose model calls have these responses."""
    upstream.replies.extend(Reply(headers=EVENT_STREAM, pieces=(body,)) for body in bodies)
    loop = ToolLoop()
    agent = Agent(model, GuardedTools(loop.turn, (), loop.cipher), RemainingBudget(loop.turn), InstantClock())
    events = agent.run(request, lambda _: _unused, max_steps=max_steps)
    return "".join([event.text async for event in events if isinstance(event, TextDelta)])


async def _unused(_: str) -> str:
    raise AssertionError


async def test_google_signature_returns_with_its_call(
    http: aiohttp.ClientSession, upstream: ScriptedUpstream, model_request: ModelRequest
) -> None:
    model = OpenAIChatModel(http=http, clock=InstantClock(), timeouts=ProviderTimeouts())
    signature = {"google": {"thought_signature": "s=="}}
    call = {"index": 0, "id": "c1", "function": {"name": "f", "arguments": "{}"}, "extra_content": signature}
    first = openai.sse(openai.delta(reasoning_content="Hm"), openai.delta(tool_calls=[call]), openai.STOP)
    messages = await second_request(model, model_request, upstream, first, openai.sse(openai.HI, openai.STOP))
    assert messages[2]["reasoning_content"] == "Hm"
    assert messages[2]["tool_calls"][0]["extra_content"] == signature
    assert messages[3]["role"] == "tool"


async def test_rare_state_returns_where_it_was(
    http: aiohttp.ClientSession, upstream: ScriptedUpstream, model_request: ModelRequest
) -> None:
    model = OpenAIChatModel(http=http, clock=InstantClock(), timeouts=ProviderTimeouts())
    function = {"name": "f", "arguments": "{}", "thought_signature": "s=="}
    first = openai.sse(
        openai.delta(reasoning_opaque="o=="), openai.delta(tool_calls=[{"id": "c1", "function": function}]), openai.STOP
    )
    messages = await second_request(model, model_request, upstream, first, openai.sse(openai.HI, openai.STOP))
    assert messages[2]["reasoning_opaque"] == "o=="
    assert messages[2]["tool_calls"] == [{"id": "c1", "type": "function", "function": function}]


@pytest.mark.parametrize("text", ["", "Hi"])
async def test_mistral_s_thinking_returns_before_the_text(
    *, text: str, http: aiohttp.ClientSession, upstream: ScriptedUpstream, model_request: ModelRequest
) -> None:
    model = OpenAIChatModel(http=http, clock=InstantClock(), timeouts=ProviderTimeouts())
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]}
    call = openai.call("{}", index=0, id="c1", name="f")
    first = openai.sse(openai.delta(content=[thinking]), openai.delta(content=text), call, openai.STOP)
    messages = await second_request(model, model_request, upstream, first, openai.sse(openai.HI, openai.STOP))
    parts = [{"type": "text", "text": text}] if text else []
    assert messages[2]["content"] == [thinking, *parts]
    assert messages[2]["tool_calls"][0]["id"] == "c1"


@pytest.mark.parametrize("case", [case for case in anthropic.STATES if case.calls], ids=lambda case: case.name)
async def test_signed_thinking_returns_before_the_tool_result(
    *, case: openai.Case, http: aiohttp.ClientSession, upstream: ScriptedUpstream, model_request: ModelRequest
) -> None:
    model = AnthropicChatModel(http=http, clock=InstantClock(), timeouts=ProviderTimeouts())
    request = msgspec.structs.replace(model_request, base_url=upstream.url)
    last = anthropic.sse(anthropic.BEGIN, anthropic.HI, anthropic.stop())
    messages = await second_request(model, request, upstream, case.body, last)
    assert messages[1] == {"role": "assistant", "content": case.state}
    assert messages[2]["content"][0]["type"] == "tool_result"


PAUSED = anthropic.sse(
    *(anthropic.BEGIN, anthropic.text("Let me ")),
    *(anthropic.start(1, **anthropic.SEARCH), anthropic.stop("pause_turn"), anthropic.END),
)
PAUSED_BLOCKS = [{"type": "text", "text": "Let me "}, anthropic.SEARCH]


@pytest.mark.parametrize("pauses", [1, 2])
async def test_paused_response_is_sent_back_and_continued(
    *, pauses: int, http: aiohttp.ClientSession, upstream: ScriptedUpstream, model_request: ModelRequest
) -> None:
    model = AnthropicChatModel(http=http, clock=InstantClock(), timeouts=ProviderTimeouts())
    last = anthropic.sse(anthropic.BEGIN, anthropic.text("see."), anthropic.stop())
    text = await run(model, model_request, upstream, *[PAUSED] * pauses, last, max_steps=5)
    assert text == "Let me " * pauses + "see."
    *_, final = upstream.requests
    assert final.json()["messages"][1:] == [{"role": "assistant", "content": PAUSED_BLOCKS * pauses}]


async def test_steps_limit_how_often_a_paused_response_is_continued(
    http: aiohttp.ClientSession, upstream: ScriptedUpstream, model_request: ModelRequest
) -> None:
    model = AnthropicChatModel(http=http, clock=InstantClock(), timeouts=ProviderTimeouts())
    assert await run(model, model_request, upstream, *[PAUSED] * 5, max_steps=3) == "Let me " * 3
    assert len(upstream.requests) == 3
