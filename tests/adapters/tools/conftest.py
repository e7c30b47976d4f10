from collections.abc import AsyncIterator

import pytest

from polyant.testing.fake_network import FakeNetwork
from support.upstream import Reply, ScriptedUpstream


@pytest.fixture
async def network(monkeypatch: pytest.MonkeyPatch) -> FakeNetwork:
    return FakeNetwork(monkeypatch)


@pytest.fixture
async def upstream() -> AsyncIterator[ScriptedUpstream]:
    async with ScriptedUpstream() as upstream:
        upstream.otherwise = Reply(headers={"Content-Type": "text/plain"}, pieces=(b"what stands inside",))
        yield upstream
