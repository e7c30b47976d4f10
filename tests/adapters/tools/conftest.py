from collections.abc import AsyncIterator

import pytest

from support.small_internet import SmallInternet
from support.upstream import Reply, ScriptedUpstream


@pytest.fixture
async def internet(monkeypatch: pytest.MonkeyPatch) -> SmallInternet:
    return SmallInternet(monkeypatch)


@pytest.fixture
async def upstream() -> AsyncIterator[ScriptedUpstream]:
    async with ScriptedUpstream() as upstream:
        upstream.otherwise = Reply(headers={"Content-Type": "text/plain"}, pieces=(b"what stands inside",))
        yield upstream
