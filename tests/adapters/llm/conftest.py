from collections.abc import AsyncIterator

import aiohttp
import pytest

from polyant.domain.chat import ModelRequest, UserMessage
from polyant.domain.secrets import SecretText
from polyant.testing.instant_clock import InstantClock
from support.upstream import ScriptedUpstream


@pytest.fixture
async def upstream() -> AsyncIterator[ScriptedUpstream]:
    async with ScriptedUpstream() as upstream:
        yield upstream


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as http:
        yield http


@pytest.fixture
def clock() -> InstantClock:
    return InstantClock()


@pytest.fixture
def model_request(upstream: ScriptedUpstream) -> ModelRequest:
    return ModelRequest(
        model="some-model",
        base_url=f"{upstream.url}/v1",
        api_key=SecretText("sk-0123456789abcdef"),
        system="Be brief.",
        messages=(UserMessage.of("Hello?"),),
        stream=True,
        deadline=100.0,
    )
