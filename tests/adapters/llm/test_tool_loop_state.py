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
from polyant.domain.chat import ModelRequest
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
    upstream.replies.extend(Reply(headers=EVENT_STREAM, pieces=(body,)) for body in bodies)
    loop = ToolLoop()
    agent = Agent(model, GuardedTools(loop.turn, (), loop.cipher), RemainingBudget(loop.turn), InstantClock())
    async for _ in agent.run(request, lambda _: _unused, max_steps=2):
        pass
    messages: list[dict[str, Any]] = upstream.requests[1].json()["messages"]
    return messages


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
