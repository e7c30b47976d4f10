"""A conversation on providers that cache by prefix, with the default prompt and tools."""

import json
from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import Any

import aiohttp
import msgspec
import pytest

from polyant.adapters.llm.anthropic_chat_model import AnthropicChatModel
from polyant.adapters.llm.openai_chat_model import OpenAIChatModel
from polyant.domain.chat import AssistantMessage, TurnFinished, Usage, UserMessage
from polyant.domain.limits import ProviderTimeouts
from polyant.domain.ports.chat_model import ChatModel
from polyant.domain.prompts import SectionKey, default_sections
from polyant.testing.manual_clock import ManualClock
from polyant.testing.supervisor_events import events_of
from support.tool_loop import ToolLoop
from support.upstream import Received, Reply, ScriptedUpstream, json_reply

SENTENCE = "Some words about ants, their nests and their trails. " * 8
BETWEEN_TURNS_SECONDS = 150.0
Messages = tuple[UserMessage | AssistantMessage, ...]


class AnthropicCache:
    """A provider that caches what precedes the marks of a request, by content."""

    def __init__(self) -> None:
        self._prefixes: set[str] = set()

    def __call__(self, request: Received) -> Reply:
        blocks = list(_blocks_of(request.json()))
        prefixes = list(accumulate(text for text, _ in blocks))
        marked = [prefix for prefix, (_, mark) in zip(prefixes, blocks, strict=True) if mark]
        assert len(marked) <= 4
        cached = max((len(prefix) for prefix in marked if prefix in self._prefixes), default=0)
        self._prefixes.update(marked)
        usage = {"input_tokens": len(prefixes[-1]) - cached, "cache_read_input_tokens": cached, "output_tokens": 1}
        content = [{"type": "text", "text": "Yes."}]
        return json_reply({"content": content, "stop_reason": "end_turn", "usage": usage})


class OpenAICache:
    """A provider that caches the longest prefix that an earlier request had in common."""

    def __init__(self) -> None:
        self._prompts: list[str] = []

    def __call__(self, request: Received) -> Reply:
        body = request.json()
        prompt = json.dumps([body["tools"], body["messages"]])
        cached = max((_common(prompt, earlier) for earlier in self._prompts), default=0)
        self._prompts.append(prompt)
        usage = {"prompt_tokens": len(prompt), "prompt_tokens_details": {"cached_tokens": cached}}
        return json_reply({"choices": [{"message": {"content": "Yes."}, "finish_reason": "stop"}], "usage": usage})


def _blocks_of(body: dict[str, Any]) -> Iterator[tuple[str, bool]]:
    for block in (*body["tools"], *body["system"], *(block for sent in body["messages"] for block in sent["content"])):
        mark = block.pop("cache_control", None)
        yield json.dumps(block), mark is not None


def _common(one: str, other: str) -> int:
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def conversation(length: int) -> Messages:
    """Returns messages that alternate and end with a user message."""
    return tuple(
        AssistantMessage(f"{number} {SENTENCE}") if number % 2 else UserMessage.of(f"{number} {SENTENCE}")
        for number in range(length)
    )


async def second_turn(loop: ToolLoop, model: ChatModel, length: int) -> Usage:
    """Returns the usage of the second of two turns."""
    clock = ManualClock()
    loop.clock = clock
    await usage_of(loop, model, conversation(length - 2))
    clock.advance(BETWEEN_TURNS_SECONDS)
    return await usage_of(loop, model, conversation(length))


async def usage_of(loop: ToolLoop, model: ChatModel, messages: Messages) -> Usage:
    turn = msgspec.structs.replace(loop.turn, messages=messages, caller_instructions=("Be polite.",))
    finished = (await events_of(loop.supervisor(model).run(turn)))[-1]
    assert isinstance(finished, TurnFinished)
    return finished.usage


@pytest.fixture(
    params=[(AnthropicChatModel, AnthropicCache), (OpenAIChatModel, OpenAICache)], ids=["anthropic", "openai"]
)
def model(
    request: pytest.FixtureRequest, http: aiohttp.ClientSession, upstream: ScriptedUpstream
) -> AnthropicChatModel | OpenAIChatModel:
    kind, cache = request.param
    upstream.otherwise = cache()
    made: Callable[..., AnthropicChatModel | OpenAIChatModel] = kind
    return made(http=http, clock=ManualClock(), timeouts=ProviderTimeouts())


@pytest.fixture
def loop(upstream: ScriptedUpstream) -> ToolLoop:
    loop = ToolLoop()
    loop.instance = msgspec.structs.replace(
        loop.instance,
        base_url=upstream.url,
        approved_addresses=frozenset({upstream.url}),
        sections=default_sections("Ada"),
    )
    return loop


async def test_nine_tenths_of_the_second_turn_are_cached(
    loop: ToolLoop, model: AnthropicChatModel | OpenAIChatModel
) -> None:
    usage = await second_turn(loop, model, 21)
    assert usage.cached_tokens >= 0.9 * usage.prompt_tokens


async def test_prompt_that_changes_every_minute_is_never_cached(
    loop: ToolLoop, model: AnthropicChatModel | OpenAIChatModel
) -> None:
    sections = {**loop.instance.sections, SectionKey.DATETIME: "It is {{datetime}}."}
    loop.instance = msgspec.structs.replace(loop.instance, sections=sections)
    usage = await second_turn(loop, model, 21)
    assert usage.cached_tokens < 0.3 * usage.prompt_tokens
